"""Figure ``persistence``: barcode and persistence diagram of one fact's knowledge neurons, per model.

The filtration joins neurons at growing distances. A bar of the barcode reaches from the birth to the death of a
component or of a loop; the diagram has a sign for each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.example import KINDS, Example, FactFlag, caption, read_examples, why_empty
from dkn.figures.saving import save
from dkn.figures.style import LOOP, fitted, heading, panels, say_nothing_to_draw
from dkn.storage.parts import read_facts
from dkn.storage.schemas import DIAGRAMS

LONGEST_COMPONENTS, LONGEST_LOOPS = 30, 12  # the most bars that are drawn of each kind
LINE_WIDTHS = {"bdc": 2.6, "candidate": 2.0, "other": 1.0}


def bars(example: Example) -> pd.DataFrame:
    """Return every component of the dendrogram.

    Args:
        example: the fact in one model.
    Returns:
        One row per component, with columns model, kind (a key of ``KINDS``), dimension (0), neurons, birth and death.
    """
    tree = example.tree
    members = [tree.members(merge) for merge in range(len(tree.birth))]
    status = {
        tuple(row.places): "bdc" if row.kept else "candidate" for row in example.components.itertuples(index=False)
    }
    return pd.DataFrame(
        {
            "model": example.model,
            "kind": [status.get(tuple(group), "other") for group in members],
            "dimension": 0,
            "neurons": [len(group) for group in members],
            "birth": tree.birth,
            "death": tree.death,
        }
    )


def table(examples: list[Example], loops: list[pd.DataFrame]) -> pd.DataFrame:
    """Return what the figure shows: the components and loops of all models.

    Args:
        examples: the fact in each model.
        loops: the fact's loops in each model, with columns birth and death; the death of a loop is infinite if it is
            not filled when the filtration stops.
    """
    frames = [bars(example) for example in examples]
    for example, loops_of_fact in zip(examples, loops, strict=True):
        frames.append(
            loops_of_fact[["birth", "death"]].assign(model=example.model, kind="loop", dimension=1, neurons=0)
        )
    return pd.concat(frames, ignore_index=True)


def _longest(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the longest bars, chosen components before others, in the order of the drawing: the last born first."""
    frame = frame.assign(length=frame["death"] - frame["birth"], last=frame["kind"] == "other")
    frame = frame[(frame["length"] > 0) | ~frame["last"]]
    shown = frame.sort_values(["last", "length"], ascending=[True, False], kind="stable").head(count)
    return shown.sort_values(["birth", "death"], ascending=False)


def _barcode(axes: Axes, example: Example, loops: pd.DataFrame) -> None:
    """Draw the barcode: loops at the bottom, components above them."""
    limit, components = example.tree.limit, bars(example)
    long_loops = _longest(loops.assign(kind="loop", death=loops["death"].clip(upper=limit)), LONGEST_LOOPS)
    axes.hlines(range(len(long_loops)), long_loops["birth"], long_loops["death"], color=LOOP, linewidth=1.2)
    base = len(long_loops) + 1.5 if len(long_loops) else 0
    shown = _longest(components, LONGEST_COMPONENTS)
    for level, row in enumerate(shown.itertuples(index=False)):
        height = base + level
        axes.hlines(height, row.birth, row.death, color=KINDS[row.kind][1], linewidth=LINE_WIDTHS[row.kind])
        if row.kind != "other":
            axes.annotate(
                f"{row.neurons}", (row.death, height), (3, 0), textcoords="offset points", va="center", size=7
            )
    axes.axvline(limit, color="0.3", linestyle="--", linewidth=0.8)
    living = int((components["death"] > components["birth"]).sum())
    labels = {base + (len(shown) - 1) / 2: f"components\n({len(shown)} of {living})"}
    if len(long_loops):
        labels[(len(long_loops) - 1) / 2] = f"loops\n({len(long_loops)} of {len(loops)})"
    axes.set_yticks(list(labels), list(labels.values()), rotation=90, va="center", ha="center")
    axes.tick_params(axis="y", length=0, pad=12)
    axes.set_xlabel("distance (dashed: end of the filtration)")
    axes.set_title(
        heading(f"{example.model}: {len(example.neurons)} knowledge neurons", "barcode (with numbers of neurons)")
    )


def _diagram(axes: Axes, example: Example, loops: pd.DataFrame) -> None:
    frame, limit = bars(example), example.tree.limit
    for kind, (_, colour) in reversed(KINDS.items()):
        of_kind = frame[frame["kind"] == kind]
        axes.scatter(of_kind["birth"], of_kind["death"], s=10 * LINE_WIDTHS[kind], color=colour, linewidths=0, zorder=3)
    death = loops["death"].clip(upper=limit)
    axes.scatter(loops["birth"], death, s=22, marker="^", facecolors="none", edgecolors=LOOP, zorder=2)
    low = min([float(frame["birth"].min()), *loops["birth"]]) * 0.95
    axes.plot([low, limit], [low, limit], color="0.8", linewidth=0.8)
    axes.axhline(limit, color="0.3", linestyle="--", linewidth=0.8)
    axes.set_xlabel("birth")
    axes.set_ylabel("death (on the dashed line: still alive)")
    unfilled = int(np.isinf(loops["death"]).sum())
    axes.set_title(heading("persistence diagram", f"{len(loops)} loops, {unfilled} not filled at its end"))


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, linewidth=LINE_WIDTHS[kind], label=name) for kind, (name, colour) in KINDS.items()
    ]
    triangle: dict[str, Any] = {"marker": "^", "markerfacecolor": "none", "markersize": 5, "linewidth": 1.2}
    handles.append(Line2D([], [], color=LOOP, label="loop (dimension 1)", **triangle))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


def draw(examples: list[Example], loops: list[pd.DataFrame]) -> Figure:
    """Draw a row per model: the barcode on the left, the persistence diagram on the right.

    Args:
        examples: the fact in each model.
        loops: the fact's loops in each model, with columns birth and death; the death of a loop is infinite if it is
            not filled when the filtration stops.
    """
    figure, grid = panels(len(examples), 2, height=3.6)
    for row, example, loops_of_fact in zip(grid, examples, loops, strict=True):
        if not len(example.tree.birth):
            for axes in row:
                say_nothing_to_draw(axes, why_empty(example))
                axes.set_title(heading(f"{example.model}: {len(example.neurons)} knowledge neurons"))
            continue
        _barcode(row[0], example, loops_of_fact)
        _diagram(row[1], example, loops_of_fact)
    _legend(figure)
    figure.suptitle(fitted(examples[0].fact, 2))
    return figure


def main(
    facts: flags.Facts,
    model: flags.Folders,
    quantile: flags.Quantile,
    output: flags.Pdf,
    example: FactFlag = None,
) -> None:
    """Draw the figure from the stored tables of all models."""
    fact_id, examples = read_examples(facts, model, quantile, example)
    diagrams = [read_facts(folder / "diagrams.parquet", DIAGRAMS, [fact_id]) for folder in model]
    loops = [frame[frame["dimension"] == 1] for frame in diagrams]
    shown = table(examples, loops).replace(np.inf, np.nan)
    save(draw(examples, loops), shown, output, caption(examples))
