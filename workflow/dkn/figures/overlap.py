"""Figure ``overlap``: where full fine-tuning changes a model most, where its degenerate knowledge neurons (D) are, and
whether the one has more to do with the other than chance and random neurons.
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
from dkn.figures.style import COLOURS, GREY, WIDTH, error_bars, intervals_of, use_style
from dkn.paper.headlines import of_experiments
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import CHANGES, OVERLAP_MEMBERS
from dkn.study.names import DKN, KN, MATCHED, RANDOM, WORDS

BINS = 64  # columns of a map at most: a 7B model has 11,008 neurons in a layer
PART = "both"  # the relative change of reading and writing vector together, by which the map and C6 rank neurons
PARTS = {PART: ("relative change", "o", COLOURS[0]), "absolute": ("absolute change", "s", "white")}
SETS = (DKN, KN, RANDOM, MATCHED)
MEASURES = {"share": "share in the most changed", "auroc": "AUROC of the change"}
COUNTS = ["neurons", "dkn", "most_changed", "both"]
INK = "0.1"
SHADES = ListedColormap(colormaps["Blues"](np.linspace(0, 0.62, 128)))  # light enough for INK, in grey too


@dataclass(frozen=True)
class Overlap:
    """One model's stored overlap experiment.

    Attributes:
        changes: columns layer, neuron and ``PART`` of every neuron, of the run that trained all parameters.
        members: columns as in ``tables.OVERLAP_MEMBERS``.
        summary: of the experiment.
    """

    changes: pd.DataFrame
    members: pd.DataFrame
    summary: dict[str, Any]

    @property
    def model(self) -> str:
        """Its name in the study."""
        return self.summary["model"]

    @property
    def size(self) -> int:
        """How many neurons are D of some new fact, and so how many count as the most changed."""
        return int((self.members["dkn"] > 0).sum())


def neurons(found: Overlap) -> pd.DataFrame:
    """One row per neuron: layer, neuron, and whether it is D, among the most changed (of equals the first), or both."""
    frame = found.changes.sort_values(["layer", "neuron"])[["layer", "neuron", PART]]
    chosen = found.members.loc[found.members["dkn"] > 0, ["layer", "neuron"]]
    is_dkn = frame.set_index(["layer", "neuron"]).index.isin(pd.MultiIndex.from_frame(chosen))
    most = (frame[PART].rank(method="first", ascending=False) <= found.size).to_numpy()
    return frame[["layer", "neuron"]].assign(neurons=1, dkn=is_dkn, most_changed=most, both=is_dkn & most)


def cells(found: Overlap) -> pd.DataFrame:
    """The map: one row per layer and bin of neighbouring neurons, with its first neuron and ``COUNTS``."""
    frame = neurons(found)
    width = -(-int(frame["neuron"].max() + 1) // BINS)
    counts = frame.assign(bin=frame["neuron"] // width).groupby(["layer", "bin"])[COUNTS].sum()
    return counts.reset_index().assign(first_neuron=lambda rows: rows["bin"] * width)


def table(models: list[Overlap]) -> pd.DataFrame:
    """What the figure shows: rows of the maps, of the layers, and the values per measure, change and neuron set."""
    frames = []
    for found in models:
        if found.changes.empty:
            frames.append(pd.DataFrame({"model": [found.model], "panel": ["not run"]}))
            continue
        bins = cells(found).drop(columns="bin")
        layers = bins.groupby("layer")[COUNTS].sum().reset_index()
        values = pd.DataFrame(found.summary["estimates"]).astype({"low": float, "high": float})
        values = values[values["part"].isin(PARTS)].rename(columns={"part": "change"})
        chance = np.where(values["metric"] == "auroc", 0.5, found.size / layers["neurons"].sum())
        parts = {"map": bins, "layers": layers, "values": values.assign(chance=chance)}
        frames += [rows.assign(model=found.model, panel=panel) for panel, rows in parts.items()]
    columns = ["model", "panel", "layer", "first_neuron", *COUNTS, "neuron_set", "change", "metric"]
    return pd.concat(frames).reindex(columns=[*columns, "mean", "low", "high", "chance", "facts", "subjects"])


def _map(figure: SubFigure, axes: Axes, found: Overlap, bins: pd.DataFrame) -> None:
    """A shade per cell for the most changed, and in it a bar for D, as high as its share of the cell's neurons."""
    counts = {name: bins.pivot(index="layer", columns="bin", values=name).to_numpy() for name in COUNTS}
    shares = {name: 100 * counts[name] / counts["neurons"] for name in ("dkn", "most_changed")}
    image = axes.pcolormesh(shares["most_changed"], cmap=SHADES, vmin=0, edgecolor="white", linewidth=0.15)
    layer, column = np.nonzero(shares["dkn"])
    largest = shares["dkn"].max(initial=0) or 1
    axes.bar(column + 0.5, 0.9 * shares["dkn"][layer, column] / largest, 0.5, bottom=layer, color=INK, linewidth=0)
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
        for row in found.summary["unions"]
        if (row["part"], row["neuron_set"], row["top"]) == (PART, DKN, found.size)
    )
    at_random = (f"{union[f'p_{name}']:.2g}" for name in (RANDOM, MATCHED))
    axes.set_title(
        f"{found.model}: of the {found.size:,} most changed neurons {union['overlap']:,.0f} are D"
        f" (chance: {union['expected']:,.0f})\n"
        + "random neurons overlap as much: p = {}; as active ones: {}".format(*at_random),
        size=8,
        loc="left",
    )


def _layers(axes: Axes, bins: pd.DataFrame) -> None:
    """The share of every layer's neurons that are D, and that are among the most changed."""
    rows = bins.groupby("layer")[COUNTS].sum()
    height = rows.index.to_numpy() + 0.5
    axes.plot(100 * rows["most_changed"] / rows["neurons"], height, color=COLOURS[0], marker="s", markersize=3)
    axes.plot(100 * rows["dkn"] / rows["neurons"], height, color=INK, marker="o", markersize=3, linestyle="--")
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", labelleft=False)
    axes.set_xlabel("of a layer (%)", size=7.5)


def _values(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    """The measure of D, of N and of both random controls, for both ways to rank changes; dashed: chance."""
    rows = rows[rows["metric"] == measure]
    for place, (part, (_, marker, face)) in enumerate(PARTS.items()):
        for at, name in enumerate(SETS):
            mean, spread = error_bars(rows[(rows["change"] == part) & (rows["neuron_set"] == name)])
            axes.errorbar(
                mean,
                [at + 0.3 * (place - 0.5)] * len(mean),
                xerr=spread,
                color=COLOURS[0],
                marker=marker,
                markersize=3.5,
                markerfacecolor=face,
                capsize=1.5,
                linewidth=0.9,
            )
    axes.axvline(rows["chance"].iloc[0], color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(SETS)), [WORDS[name] for name in SETS])
    axes.tick_params(labelsize=7)
    axes.set_ylim(len(SETS) - 0.5, -0.5)
    mine = rows[(rows["change"] == PART) & (rows["neuron_set"] == DKN)].iloc[0]
    interval = "" if np.isnan(mine["low"]) else f" [{mine['low']:.3f}, {mine['high']:.3f}]"
    axes.set_title(f"{MEASURES[measure]}\nD: {mine['mean']:.3f}{interval}", size=7.5)


def _model(figure: SubFigure, found: Overlap) -> None:
    """One model's map, its layers, and the measures."""
    if found.changes.empty:
        axes = figure.subplots()
        axes.text(0.5, 0.5, f"not run: {found.summary['not_run']}", ha="center", va="center", color=GREY)
        axes.set_title(found.model)
        axes.set_axis_off()
        return
    grid = figure.add_gridspec(len(MEASURES), 3, width_ratios=[4.2, 0.9, 1.8])
    bins, rows = cells(found), table([found])
    whole = figure.add_subplot(grid[:, 0])
    _map(figure, whole, found, bins)
    _layers(figure.add_subplot(grid[:, 1], sharey=whole), bins)
    values = rows[rows["panel"] == "values"]
    for place, measure in enumerate(MEASURES):
        axes = figure.add_subplot(grid[place, 2])
        _values(axes, values, measure)
    axes.set_xlabel(f"mean over {int(values['facts'].max())} new facts", size=7.5)


def draw(models: list[Overlap]) -> Figure:
    """A row per model: the map, the layers, and the measures of D against N and random neurons."""
    use_style()
    layers = [found.changes["layer"].nunique() for found in models]
    heights = [2.8 + 0.06 * max(0, count - 8) if count else 0.6 for count in layers]
    figure = Figure(figsize=(2.1 * WIDTH, sum(heights) + 0.9), layout="constrained")
    parts = figure.subfigures(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, found in zip(parts, models, strict=True):
        _model(part, found)
    _legend(figure)
    figure.suptitle(
        "What full fine-tuning changes most, and the degenerate knowledge neurons (D)\n"
        f"(whiskers: {intervals_of([found.summary for found in models])})"
    )
    return figure


def _legend(figure: Figure) -> None:
    changed: dict[str, Any] = {"color": COLOURS[0], "markersize": 4}
    handles = [
        Patch(color=INK, label="D of the new facts"),
        Line2D([], [], marker="o", linestyle="--", color=INK, markersize=4, label="D, by layer"),
        Line2D([], [], marker="s", label="most changed, by layer", **changed),
        *(
            Line2D([], [], marker=marker, markerfacecolor=face, linestyle="", label=f"ranked by {label}", **changed)
            for label, marker, face in PARTS.values()
        ),
        Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def main(model: flags.Folders, output: flags.Pdf) -> None:
    """Draw from the stored changes, members and summaries."""
    models = []
    for folder in model:
        experiments = folder / "experiments"
        changes = read_table(experiments / "fine-tuning-all" / "changes.parquet", CHANGES)
        members = read_table(experiments / "overlap-fine-tuning" / "members.parquet", OVERLAP_MEMBERS)
        models.append(Overlap(changes, members, read_json(experiments / "overlap-fine-tuning" / "summary.json")))
    save(draw(models), table(models), output, of_experiments([found.summary for found in models]))
