"""Figure ``component_sizes``: how many neurons and layers NTC's components have, across all facts, per model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import FAILED, LOOKS, bootstrap_at, error_bars, panels, say_nothing_to_draw
from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings, estimate
from dkn.storage.files import read_table
from dkn.storage.schemas import COMPONENTS, FACTS, KNOWLEDGE_NEURONS
from dkn.study.names import DKN
from dkn.summaries.wording import bullets, interval, sized

LAST = 8  # neurons or layers; in the figure and in its table this value stands for as many or more
QUANTITIES = {"neurons": "neurons of a component", "layers": "layers from its lowest to its highest neuron"}
KINDS = {"bdc": ("base degenerate", LOOKS[DKN].colour), "failed": ("failed the functional test", FAILED)}


def measured(components: pd.DataFrame, neurons: pd.DataFrame, subjects: pd.Series) -> pd.DataFrame:
    """Return the size of every component.

    Args:
        components: the columns fact_id, component, places and kept.
        neurons: the knowledge neurons, with columns fact_id, place and layer.
        subjects: the subject of each fact, indexed by fact_id.
    Returns:
        One row per component, with columns fact_id, subject, kind (a key of ``KINDS``), neurons, and layers, which
        counts from the component's lowest to its highest layer.
    """
    members = (
        components[["fact_id", "component", "places", "kept"]].explode("places").rename(columns={"places": "place"})
    )
    members = members.astype({"place": int}).merge(neurons[["fact_id", "place", "layer"]], on=["fact_id", "place"])
    groups = members.groupby(["fact_id", "component", "kept"])["layer"]
    frame = groups.agg(neurons="size", low="min", high="max").reset_index()
    return pd.DataFrame(
        {
            "fact_id": frame["fact_id"],
            "subject": frame["fact_id"].map(subjects),
            "kind": np.where(frame["kept"].astype(bool), "bdc", "failed"),
            "neurons": frame["neurons"],
            "layers": frame["high"] - frame["low"] + 1,
        }
    )


def shares(model: str, frame: pd.DataFrame, settings: StatisticsSettings) -> pd.DataFrame:
    """Return the share of a model's components that has each number of neurons and of layers.

    Args:
        model: the name of the model, which also keys the random draws.
        frame: as ``measured`` returns it.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        One row per kind, quantity (neurons or layers) and value, with the share (0 to 1), its interval over subjects,
        and the numbers of components, facts and subjects.
    """
    rows = []
    for (kind, components), quantity in ((group, name) for group in frame.groupby("kind") for name in QUANTITIES):
        for value in range(2, LAST + 1):
            has_value = (components[quantity].clip(upper=LAST) == value).to_numpy(dtype=float)
            draw = generator(settings.seed, f"bootstrap/component-sizes/{model}", f"{kind}/{quantity}/{value}")
            subjects = components["subject"].to_numpy()
            share = estimate(has_value, subjects, settings.resamples, settings.confidence, draw, lowest=0.0)
            rows.append(
                {
                    "model": model,
                    "kind": kind,
                    "quantity": quantity,
                    "value": value,
                    "share": share.mean,
                    "low": share.low,
                    "high": share.high,
                    "components": len(components),
                    "facts": components["fact_id"].nunique(),
                    "subjects": share.subjects,
                }
            )
    columns = ["model", "kind", "quantity", "value", "share", "low", "high", "components", "facts", "subjects"]
    return pd.DataFrame(rows, columns=columns)


def _panel(axes: Axes, frame: pd.DataFrame) -> None:
    for side, (kind, (_, colour)) in zip((-0.2, 0.2), KINDS.items(), strict=True):
        bars = frame[frame["kind"] == kind].sort_values("value")
        share, spread = error_bars(bars, 100, "share")
        whisker = {"elinewidth": 0.8, "ecolor": "0.15", "capsize": 1.5}
        axes.bar(bars["value"] + side, share, 0.38, yerr=spread, color=colour, linewidth=0, error_kw=whisker)
    axes.set_xticks(range(2, LAST + 1), [*map(str, range(2, LAST)), f"≥ {LAST}"])
    axes.set_ylim(bottom=0)


def _counts(model: str, frame: pd.DataFrame) -> str:
    """Return the title of a model's first panel: how many components of each kind there are, and in how many facts."""
    first = frame.groupby("kind")[["components", "facts"]].first()
    words = [
        f"{row.components:,} {KINDS[kind][0]} (in {row.facts:,} facts)"
        for kind in KINDS
        if kind in first.index
        for row in [first.loc[kind]]
    ]
    return "\n".join([model, *words])


def draw(table: pd.DataFrame, models: list[str], confidence: float) -> Figure:
    """Draw a row per model: neurons on the left, layers on the right.

    Args:
        table: the ``shares`` of all models.
        models: the names of the models, in the order of the rows.
        confidence: the confidence of the intervals, for the title.
    """
    figure, grid = panels(len(models), len(QUANTITIES), height=2.7)
    for row, model in zip(grid, models, strict=True):
        for axes, (quantity, label) in zip(row, QUANTITIES.items(), strict=True):
            chosen = table[(table["model"] == model) & (table["quantity"] == quantity)]
            axes.set_title(_counts(model, chosen) if quantity == "neurons" else model)
            if chosen.empty:
                say_nothing_to_draw(axes, "no component")
                continue
            _panel(axes, chosen)
            axes.set_xlabel(label)
            axes.set_ylabel("share of components (%)" if quantity == "neurons" else "")
    handles = [Patch(color=colour, label=name) for name, colour in KINDS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(f"NTC's components: neurons and layers\n(whiskers: {bootstrap_at(confidence)})")
    return figure


def caption(frame: pd.DataFrame) -> str:
    """Return the caption's numbers: the share of components with two neurons, which is the least, per model and kind.

    Args:
        frame: the ``shares`` of all models.
    """
    smallest = frame[(frame["quantity"] == "neurons") & (frame["value"] == 2)]
    return bullets(
        f"{row.model}: {interval(row.share, row.low, row.high, 'share')} of the {row.components:,} components that "
        f"{'passed' if row.kind == 'bdc' else 'failed'} the functional test have two neurons, {sized(row._asdict())}"
        for row in smallest.itertuples(index=False)
    )


def main(
    facts: flags.Facts,
    model: flags.Folders,
    output: flags.Pdf,
    statistics: flags.Statistics,
) -> None:
    """Draw the figure from the stored components and knowledge neurons of all models."""
    subjects = read_table(facts, FACTS, ["fact_id", "subject"]).set_index("fact_id")["subject"]
    tables = []
    for folder in model:
        components = read_table(
            folder / "components" / "ntc.parquet", COMPONENTS, ["fact_id", "component", "places", "kept"]
        )
        neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS, ["fact_id", "place", "layer"])
        sizes = measured(components, neurons, subjects)
        tables.append(shares(folder.name, sizes, StatisticsSettings(**vars(statistics))))
    table = pd.concat(tables, ignore_index=True)
    save(draw(table, [folder.name for folder in model], statistics.confidence), table, output, caption(table))
