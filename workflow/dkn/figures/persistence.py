"""Figure ``persistence``: barcode of components and persistence diagram of one fact, per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn.dendrogram import Dendrogram
from dkn.figures.style import COLOURS, GREY, panels

LONGEST_BARCODE = 30  # bars drawn; the longest ones


@dataclass(frozen=True)
class Example:
    """One fact in one model: its dendrogram, ripser's diagram and tested components."""

    model: str
    fact: str
    neurons: int
    tree: Dendrogram
    diagram: pd.DataFrame
    components: pd.DataFrame


def choose_example(components: dict[str, pd.DataFrame]) -> str:
    """The fact with the most base degenerate components in the model where it has fewest; ties by total, then id.

    Args:
        components: per model the table of tested components.
    Raises:
        ValueError: no fact has a component in every model.
    """
    kept = {model: frame.groupby("fact_id")["kept"].sum() for model, frame in components.items()}
    counts = pd.DataFrame(kept).dropna()
    if counts.empty:
        raise ValueError("no fact has a component in every model")
    order = pd.DataFrame({"least": counts.min(axis=1), "total": counts.sum(axis=1)})
    return str(order.sort_index().sort_values(["least", "total"], ascending=False, kind="stable").index[0])


def bars(example: Example) -> pd.DataFrame:
    """Every component of the dendrogram with birth, death, size and status: bdc, candidate or other."""
    members = [example.tree.members(merge) for merge in range(len(example.tree.birth))]
    status = {
        tuple(row.places): "bdc" if row.kept else "candidate" for row in example.components.itertuples(index=False)
    }
    return pd.DataFrame(
        {
            "model": example.model,
            "kind": [status.get(tuple(group), "other") for group in members],
            "dimension": 0,
            "neurons": [len(group) for group in members],
            "birth": example.tree.birth,
            "death": example.tree.death,
        }
    )


def table(examples: list[Example]) -> pd.DataFrame:
    """Bars of all models, and the diagram's points of dimension 1."""
    parts = [bars(example) for example in examples]
    for example in examples:
        loops = example.diagram[example.diagram["dimension"] == 1]
        parts.append(loops[["birth", "death"]].assign(model=example.model, kind="loop", dimension=1, neurons=0))
    return pd.concat(parts, ignore_index=True)


STYLES = {
    "bdc": ("base degenerate component", COLOURS[1], 2.6),
    "candidate": ("component, failed the functional test", COLOURS[0], 2.0),
    "other": ("component, not chosen", "0.7", 1.0),
}


def _barcode(axes: Axes, example: Example) -> None:
    frame = bars(example)
    frame = frame.assign(length=frame["death"] - frame["birth"])
    frame = frame[(frame["length"] > 0) | (frame["kind"] != "other")]
    rank = frame.assign(first=frame["kind"] == "other").sort_values(["first", "length"], ascending=[True, False])
    shown = rank.head(LONGEST_BARCODE).sort_values(["birth", "death"], ascending=False)
    for level, row in enumerate(shown.itertuples(index=False)):
        _, colour, width = STYLES[row.kind]
        axes.hlines(level, row.birth, row.death, color=colour, linewidth=width)
        if row.kind != "other":
            axes.annotate(f"{row.neurons}", (row.death, level), (3, 0), textcoords="offset points", va="center", size=7)
    axes.axvline(example.tree.limit, color="0.3", linestyle="--", linewidth=0.8)
    axes.set_yticks([])
    axes.set_ylabel(f"components ({len(shown)} of {len(frame)} shown)")
    axes.set_xlabel("distance (dashed: the filtration stops)")
    axes.set_title(f"{example.model}: {example.neurons} knowledge neurons\nbarcode (numbers: neurons of a component)")


def _diagram(axes: Axes, example: Example) -> None:
    frame, limit = bars(example), example.tree.limit
    for kind, (_, colour, width) in reversed(STYLES.items()):
        part = frame[frame["kind"] == kind]
        axes.scatter(part["birth"], part["death"], s=10 * width, color=colour, linewidths=0, zorder=3)
    loops = example.diagram[(example.diagram["dimension"] == 1) & (example.diagram["birth"] <= limit)]
    death = loops["death"].clip(upper=limit)
    axes.scatter(loops["birth"], death, s=22, marker="^", facecolors="none", edgecolors=COLOURS[2], zorder=2)
    low = float(np.nanmin([frame["birth"].min(), limit])) * 0.95
    axes.plot([low, limit], [low, limit], color="0.8", linewidth=0.8)
    axes.axhline(limit, color="0.3", linestyle="--", linewidth=0.8)
    axes.set_xlabel("birth")
    axes.set_ylabel("death")
    axes.set_title(f"persistence diagram ({len(loops)} loops)")


def _legend(figure: Figure) -> None:
    handles = [Line2D([], [], color=colour, linewidth=width, label=name) for name, colour, width in STYLES.values()]
    triangle: dict[str, Any] = {"linestyle": "", "marker": "^", "markerfacecolor": "none", "markersize": 5}
    handles.append(Line2D([], [], markeredgecolor=COLOURS[2], label="loop (dimension 1)", **triangle))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


def draw(examples: list[Example]) -> Figure:
    """A row per model: barcode left, diagram right."""
    figure, axes = panels(len(examples), 2, height=3.1)
    for row, example in enumerate(examples):
        if not len(example.tree.birth):
            for place in axes[row]:
                place.text(0.5, 0.5, "no component", ha="center", color=GREY, transform=place.transAxes)
            continue
        _barcode(axes[row][0], example)
        _diagram(axes[row][1], example)
    _legend(figure)
    figure.suptitle(examples[0].fact)
    return figure
