"""Figure ``component_sizes``: how many neurons and layers components have, across all facts, per model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, bootstrap_at, error_bars, panels, say_nothing_to_draw
from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings, estimate
from dkn.storage.files import read_table
from dkn.storage.schemas import COMPONENTS, FACTS, KNOWLEDGE_NEURONS
from dkn.summaries.wording import bullets, interval, sized

LAST = 8  # neurons or layers; this value stands for as many or more, in the table too
QUANTITIES = {"neurons": "neurons of a component", "layers": "layers from its lowest to its highest neuron"}
KINDS = {"bdc": ("base degenerate", COLOURS[1]), "failed": ("failed the functional test", COLOURS[0])}


def measured(components: pd.DataFrame, neurons: pd.DataFrame, subjects: pd.Series) -> pd.DataFrame:
    """One row per component: fact_id, subject, kind, neurons and layers spanned.

    Args:
        components: columns fact_id, component, places, kept.
        neurons: knowledge neurons: fact_id, place, layer.
        subjects: whose fact it is, by fact_id.
    """
    parts = components[["fact_id", "component", "places", "kept"]].explode("places").rename(columns={"places": "place"})
    parts = parts.astype({"place": int}).merge(neurons[["fact_id", "place", "layer"]], on=["fact_id", "place"])
    groups = parts.groupby(["fact_id", "component", "kept"])["layer"]
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
    """Which share of a model's components has each number of neurons and layers, with intervals over subjects.

    Args:
        model: its name, also in the key of the random draws.
        frame: as ``measured`` returns it.
        settings: of the bootstrap.
    """
    rows = []
    for (kind, part), quantity in ((group, name) for group in frame.groupby("kind") for name in QUANTITIES):
        for value in range(2, LAST + 1):
            here = (part[quantity].clip(upper=LAST) == value).to_numpy(dtype=float)
            draw = generator(settings.seed, f"bootstrap/component-sizes/{model}", f"{kind}/{quantity}/{value}")
            found = estimate(here, part["subject"].to_numpy(), settings.resamples, settings.confidence, draw)
            rows.append(
                {
                    "model": model,
                    "kind": kind,
                    "quantity": quantity,
                    "value": value,
                    "share": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "components": len(part),
                    "facts": part["fact_id"].nunique(),
                    "subjects": found.subjects,
                }
            )
    columns = ["model", "kind", "quantity", "value", "share", "low", "high", "components", "facts", "subjects"]
    return pd.DataFrame(rows, columns=columns)


def _panel(axes: Axes, frame: pd.DataFrame) -> None:
    for side, (kind, (_, colour)) in zip((-0.2, 0.2), KINDS.items(), strict=True):
        here = frame[frame["kind"] == kind].sort_values("value")
        share, spread = error_bars(here, 100, "share")
        whisker = {"elinewidth": 0.8, "ecolor": "0.15", "capsize": 1.5}
        axes.bar(here["value"] + side, share, 0.38, yerr=spread, color=colour, linewidth=0, error_kw=whisker)
    axes.set_xticks(range(2, LAST + 1), [*map(str, range(2, LAST)), f"≥ {LAST}"])
    axes.set_ylim(bottom=0)


def _counts(model: str, frame: pd.DataFrame) -> str:
    """The title of a model's panels: how many components of how many facts."""
    first = frame.groupby("kind")[["components", "facts"]].first()
    words = [
        f"{row.components:,} {KINDS[kind][0]} (of {row.facts:,} facts)"
        for kind in KINDS
        if kind in first.index
        for row in [first.loc[kind]]
    ]
    return "\n".join([model, *words])


def draw(table: pd.DataFrame, models: list[str], confidence: float) -> Figure:
    """A row per model: neurons left, layers right. ``table`` holds the ``shares`` of all models, at a confidence."""
    figure, axes = panels(len(models), len(QUANTITIES), height=2.7)
    for row, model in zip(axes, models, strict=True):
        for place, (quantity, label) in zip(row, QUANTITIES.items(), strict=True):
            chosen = table[(table["model"] == model) & (table["quantity"] == quantity)]
            place.set_title(_counts(model, chosen) if quantity == "neurons" else model)
            if chosen.empty:
                say_nothing_to_draw(place, "no component")
                continue
            _panel(place, chosen)
            place.set_xlabel(label)
            place.set_ylabel("share of components (%)" if quantity == "neurons" else "")
    handles = [Patch(color=colour, label=name) for name, colour in KINDS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(f"NTC's components: neurons and layers\n(whiskers: {bootstrap_at(confidence)})")
    return figure


def caption(frame: pd.DataFrame) -> str:
    """The share of the smallest components, of two neurons, per model and kind."""
    smallest = frame[(frame["quantity"] == "neurons") & (frame["value"] == 2)]
    return bullets(
        f"{row.model}: {interval(row.share, row.low, row.high, 'share')} have two neurons, of the {row.components:,} "
        f"components that {'passed' if row.kind == 'bdc' else 'failed'} the functional test, {sized(row._asdict())}"
        for row in smallest.itertuples(index=False)
    )


def main(
    facts: flags.Facts,
    model: flags.Folders,
    output: flags.Pdf,
    statistics: flags.Statistics,
) -> None:
    """Draw from stored records."""
    subjects = read_table(facts, FACTS).set_index("fact_id")["subject"]
    tables = []
    for folder in model:
        components = read_table(folder / "components" / "ntc.parquet", COMPONENTS)
        neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS)
        sizes = measured(components, neurons, subjects)
        tables.append(shares(folder.name, sizes, StatisticsSettings(**vars(statistics))))
    table = pd.concat(tables, ignore_index=True)
    save(draw(table, [folder.name for folder in model], statistics.confidence), table, output, caption(table))
