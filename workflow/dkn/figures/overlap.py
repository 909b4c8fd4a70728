"""Figure ``overlap``: where full fine-tuning changes a model most, and where its degenerate knowledge neurons (D) are.

A map of all layers shows both. Beside it stand the share of D among the most changed neurons, and how well the change
detects D, compared with chance, with all knowledge neurons (N) and with random neurons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, INK, LOOKS, WIDTH, error_bars, intervals_of, plain, use_style
from dkn.paper.headlines import of_experiments
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import CHANGES, OVERLAP_MEMBERS
from dkn.study.names import DKN, KN, MATCHED, RANDOM, RANDOM_KN, WORDS
from dkn.summaries.wording import bracketed

BINS = 64  # the most columns of a map: a model of 7 billion parameters has 11,008 neurons in a layer
PART = "both"  # the relative change of reading and writing vector together, by which the map and C6 rank neurons
PARTS = {PART: ("relative change", True), "absolute": ("absolute change", False)}  # with whether signs are filled
SETS = (DKN, KN, RANDOM, MATCHED, RANDOM_KN)
MEASURES = {"share": "in the most changed (%)", "auroc": "AUROC of the change (%)"}
COUNTS = ["neurons", "dkn", "most_changed", "both"]
SHADES = ListedColormap(colormaps["Greys"](np.linspace(0, 0.45, 128)))  # light enough for the colour of D
CHANGED: dict[str, Any] = {"color": "0.5", "marker": "|", "linestyle": "-"}


@dataclass(frozen=True)
class Overlap:
    """One model's stored overlap experiment.

    Attributes:
        changes: the change of every neuron in the first run that trained all parameters, with columns layer, neuron and
            ``PART``; empty where nothing was trained.
        members: the neurons of the facts' sets, with the columns of ``schemas.OVERLAP_MEMBERS``.
        summary: the summary of the experiment.
    """

    changes: pd.DataFrame
    members: pd.DataFrame
    summary: dict[str, Any]

    @property
    def model(self) -> str:
        """The name of the model in the study."""
        return self.summary["model"]

    @property
    def size(self) -> int:
        """The number of neurons that are D of some new fact, which is how many neurons count as the most changed."""
        return int((self.members["dkn"] > 0).sum())


def neurons(overlap: Overlap) -> pd.DataFrame:
    """Return which neurons are D, and which are among the most changed ones (of equals the first).

    Args:
        overlap: the experiment of one model.
    Returns:
        One row per neuron, with columns layer and neuron, and ``COUNTS``: neurons is 1, and dkn, most_changed and both
        are true or false.
    """
    frame = overlap.changes.sort_values(["layer", "neuron"])[["layer", "neuron", PART]]
    chosen = overlap.members.loc[overlap.members["dkn"] > 0, ["layer", "neuron"]]
    is_dkn = frame.set_index(["layer", "neuron"]).index.isin(pd.MultiIndex.from_frame(chosen))
    most = (frame[PART].rank(method="first", ascending=False) <= overlap.size).to_numpy()
    return frame[["layer", "neuron"]].assign(neurons=1, dkn=is_dkn, most_changed=most, both=is_dkn & most)


def cells(overlap: Overlap) -> pd.DataFrame:
    """Return the cells of the map: one row per layer and bin of neighbouring neurons.

    Args:
        overlap: the experiment of one model.
    Returns:
        The columns layer, bin, ``COUNTS`` (numbers of neurons) and first_neuron.
    """
    frame = neurons(overlap)
    width = -(-int(frame["neuron"].max() + 1) // BINS)
    counts = frame.assign(bin=frame["neuron"] // width).groupby(["layer", "bin"])[COUNTS].sum()
    return counts.reset_index().assign(first_neuron=lambda rows: rows["bin"] * width)


def table(models: list[Overlap]) -> pd.DataFrame:
    """Return what the figure shows: the cells of the maps, the counts of the layers, and the values of the measures.

    Args:
        models: the experiment of each model.
    Returns:
        Rows that the column ``panel`` tells apart: map, layers, values, or not run.
    """
    frames = []
    for overlap in models:
        if overlap.changes.empty:
            frames.append(pd.DataFrame({"model": [overlap.model], "panel": ["not run"]}))
            continue
        bins = cells(overlap).drop(columns="bin")
        layers = bins.groupby("layer")[COUNTS].sum().reset_index()
        values = pd.DataFrame(overlap.summary["estimates"]).astype({"low": float, "high": float})
        values = values[values["part"].isin(PARTS)].rename(columns={"part": "change"})
        chance = np.where(values["metric"] == "auroc", 0.5, overlap.size / layers["neurons"].sum())
        panels = {"map": bins, "layers": layers, "values": values.assign(chance=chance)}
        frames += [rows.assign(model=overlap.model, panel=panel) for panel, rows in panels.items()]
    columns = ["model", "panel", "layer", "first_neuron", *COUNTS, "neuron_set", "change", "metric"]
    return pd.concat(frames).reindex(columns=[*columns, "mean", "low", "high", "chance", "facts", "subjects"])


def _map(figure: SubFigure, axes: Axes, overlap: Overlap, bins: pd.DataFrame) -> None:
    """Draw the map: the shade of a cell is the share of the most changed neurons, and its bar is the share of D."""
    counts = {name: bins.pivot(index="layer", columns="bin", values=name).to_numpy() for name in COUNTS}
    shares = {name: 100 * counts[name] / counts["neurons"] for name in ("dkn", "most_changed")}
    image = axes.pcolormesh(shares["most_changed"], cmap=SHADES, vmin=0, edgecolor="white", linewidth=0.15)
    layer, column = np.nonzero(shares["dkn"])
    largest = shares["dkn"].max(initial=0) or 1
    axes.bar(
        column + 0.5,
        0.9 * shares["dkn"][layer, column] / largest,
        0.5,
        bottom=layer,
        color=LOOKS[DKN].colour,
        linewidth=0,
    )
    layers = range(0, len(counts["dkn"]), max(1, len(counts["dkn"]) // 8))
    axes.set_yticks([number + 0.5 for number in layers], [str(number) for number in layers])
    ticks = np.linspace(0, counts["dkn"].shape[1], 5)
    per_bin = int(counts["neurons"].max())
    axes.set_xticks(ticks, [f"{int(tick * per_bin):,}" for tick in ticks])
    axes.set_ylabel("layer")
    axes.set_xlabel(f"neuron (bins of {per_bin}; the highest bar: {largest:.3g} % of its bin are D)", size=7.5)
    bar = figure.colorbar(image, ax=axes, location="bottom", fraction=0.04, aspect=45, pad=0.02)
    bar.set_label("neurons of the bin among the most changed (%)", size=7.5)
    bar.outline.set_visible(False)
    union = next(
        row
        for row in overlap.summary["unions"]
        if (row["part"], row["neuron_set"], row["top"]) == (PART, DKN, overlap.size)
    )
    at_random = (f"{union[f'p_{name}']:.2g}" for name in (RANDOM, MATCHED))
    axes.set_title(
        f"{plain(overlap.model)}: of the {overlap.size:,} most changed neurons {union['overlap']:,.0f} are D"
        f" (chance: {union['expected']:,.0f})\n"
        + "p against random neurons: {}; against equally active ones: {}".format(*at_random),
        size=8,
        loc="left",
    )


def _layers(axes: Axes, bins: pd.DataFrame) -> None:
    """Draw the shares of every layer's neurons that are D and that are among the most changed."""
    rows = bins.groupby("layer")[COUNTS].sum()
    height = rows.index.to_numpy() + 0.5
    axes.plot(100 * rows["most_changed"] / rows["neurons"], height, markersize=4, **CHANGED)
    axes.plot(100 * rows["dkn"] / rows["neurons"], height, markersize=3, linestyle="--", **LOOKS[DKN].line)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", labelleft=False)
    axes.set_xlabel("share of layer (%)", size=7.5)


def _values(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    """Draw a measure of D, of N and of the random controls, for both ways to rank changes; chance is dashed."""
    rows = rows[rows["metric"] == measure]
    for index, (part, (_, filled)) in enumerate(PARTS.items()):
        for level, name in enumerate(SETS):
            mean, spread = error_bars(rows[(rows["change"] == part) & (rows["neuron_set"] == name)], 100)
            axes.errorbar(
                mean,
                [level + 0.3 * (index - 0.5)] * len(mean),
                xerr=spread,
                **LOOKS[name].line,
                markersize=3.5,
                markerfacecolor=LOOKS[name].colour if filled else "white",
                capsize=1.5,
                linewidth=0.9,
            )
    axes.axvline(100 * rows["chance"].iloc[0], color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(SETS)), [WORDS[name] for name in SETS])
    axes.tick_params(labelsize=7)
    axes.set_ylim(len(SETS) - 0.5, -0.5)
    of_dkn = rows[(rows["change"] == PART) & (rows["neuron_set"] == DKN)].iloc[0]
    axes.set_title(
        f"{MEASURES[measure]}\nD: {bracketed(of_dkn['mean'], of_dkn['low'], of_dkn['high'], measure)}",
        size=7.5,
        loc="right",
    )


def _model(figure: SubFigure, overlap: Overlap) -> None:
    """Draw one model's map, its layers and the measures, or say why nothing was trained."""
    if overlap.changes.empty:
        axes = figure.subplots()
        axes.text(0.5, 0.5, plain(f"not run: {overlap.summary['not_run']}"), ha="center", va="center", color=GREY)
        axes.set_title(plain(overlap.model))
        axes.set_axis_off()
        return
    grid = figure.add_gridspec(len(MEASURES), 3, width_ratios=[4.2, 0.9, 1.8])
    bins, rows = cells(overlap), table([overlap])
    whole = figure.add_subplot(grid[:, 0])
    _map(figure, whole, overlap, bins)
    _layers(figure.add_subplot(grid[:, 1], sharey=whole), bins)
    values = rows[rows["panel"] == "values"]
    for row, measure in enumerate(MEASURES):
        axes = figure.add_subplot(grid[row, 2])
        _values(axes, values, measure)
    axes.set_xlabel(f"mean over {int(values['facts'].max())} new facts", size=7.5)


def draw(models: list[Overlap]) -> Figure:
    """Draw a row per model: the map, the layers, and the measures of D, N and random neurons.

    Args:
        models: the experiment of each model.
    """
    use_style()
    layers = [overlap.changes["layer"].nunique() for overlap in models]
    heights = [2.8 + 0.06 * max(0, count - 8) if count else 0.6 for count in layers]
    figure = Figure(figsize=(2.1 * WIDTH, sum(heights) + 0.9), layout="constrained")
    subfigures = figure.subfigures(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for subfigure, overlap in zip(subfigures, models, strict=True):
        _model(subfigure, overlap)
    _legend(figure)
    figure.suptitle(
        "What full fine-tuning changes most, and the degenerate knowledge neurons (D)\n"
        f"(whiskers: {intervals_of([overlap.summary for overlap in models])})"
    )
    return figure


def _legend(figure: Figure) -> None:
    sign: dict[str, Any] = {"color": INK, "marker": "o", "markersize": 4, "linestyle": ""}
    handles = [
        Patch(color=LOOKS[DKN].colour, label="D of the new facts"),
        Line2D([], [], linestyle="--", markersize=4, label="D, by layer", **LOOKS[DKN].line),
        Line2D([], [], markersize=5, label="most changed, by layer", **CHANGED),
        *(
            Line2D([], [], markerfacecolor=INK if filled else "white", label=f"ranked by {label}", **sign)
            for label, filled in PARTS.values()
        ),
        Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def main(model: flags.Folders, output: flags.Pdf) -> None:
    """Draw the figure from the stored changes, members and summaries of all models."""
    models = []
    for folder in model:
        experiments = folder / "experiments"
        changes = read_table(experiments / "fine-tuning-all" / "changes.parquet", CHANGES)
        members = read_table(experiments / "overlap-fine-tuning" / "members.parquet", OVERLAP_MEMBERS)
        models.append(
            Overlap(
                changes[changes["draw"] == 0], members, read_json(experiments / "overlap-fine-tuning" / "summary.json")
            )
        )
    save(draw(models), table(models), output, of_experiments([overlap.summary for overlap in models]))
