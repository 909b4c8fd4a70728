"""Figure ``audit_path``: three main numbers on the way from the text's protocol to the released one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.audit.stored import SHORT, comparison_table, read_audits
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, GREY, plain, use_style
from dkn.study.protocol import SWITCHES
from dkn.summaries.wording import bullets

NUMBERS = {
    "gap": "degeneracy: full minus partial drop\n(points of Prob)",
    "suppression": "C3: drop by D minus by as many of N\n(points of Prob)",
    "fact_checking": "C5: F1 by D minus by N\n(points)",
}
UP, DOWN = COLOURS[2], COLOURS[1]


def path_table(audits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the steps of the path: one row per model and switch, in the order of the analysis.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    table = comparison_table(audits)
    return table[table["direction"] == "step"].reset_index(drop=True)


def draw(audits: Sequence[Mapping[str, Any]], confidence: float) -> Figure:
    """Draw a waterfall per number and model: each switch moves the number from where the one before it left it.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
        confidence: that of the intervals of the changes.
    """
    use_style()
    table = path_table(audits)
    models = [audit["model"] for audit in audits]
    figure = Figure(figsize=(1.2 + 6.4 * len(models), 2.6 * len(NUMBERS) + 1), layout="constrained")
    axes = figure.subplots(len(NUMBERS), len(models), squeeze=False, sharex="col")
    for column, model in enumerate(models):
        steps = table[table["model"] == model]
        for row, (name, title) in enumerate(NUMBERS.items()):
            panel = axes[row][column]
            _waterfall(panel, steps, name)
            panel.set_ylabel(title if column == 0 else "")
            if row == 0:
                panel.set_title(plain(model))
        axes[-1][column].set_xticks(
            range(len(steps) + 2), ["text", *steps["switch"], "released"], rotation=90, fontsize=7
        )
    figure.suptitle(
        "From the text to the released code, one departure after the other; bars with "
        f"{100 * confidence:g} % bootstrap intervals of the change, over subjects"
    )
    return figure


def _waterfall(axes: Axes, steps: pd.DataFrame, name: str) -> None:
    """Draw one number's way: where it starts, every change, and where it ends; undefined numbers are left out."""
    before, after = (100 * steps[f"{name}_{side}"].to_numpy(dtype=float) for side in ("before", "after"))
    last = len(steps) + 1
    for place, value in ((0, before[0]), (last, after[-1])):
        axes.bar(place, value, 0.7, color=GREY)
        if value == value:
            axes.annotate(f"{value:.1f}", (place, value), ha="center", va="bottom" if value >= 0 else "top", size=7)
    for place, (start, end) in enumerate(zip(before, after, strict=True), 1):
        if start == start and end == end:
            axes.bar(place, end - start, 0.7, bottom=start, color=UP if end >= start else DOWN)
            axes.plot([place - 1 + 0.35, place - 0.35], [start, start], color="0.6", linewidth=0.6)
        elif start == start or end == end:
            axes.annotate("undefined", (place, start if start == start else end), rotation=90, size=6, ha="center")
    bounds = 100 * steps[[f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    for place, (low, high) in enumerate(bounds, 1):
        moved = after[place - 1] != before[place - 1]
        if low == low and moved:
            axes.vlines(place, before[place - 1] + low, before[place - 1] + high, color="black", linewidth=0.8)
    groups = [SWITCHES[switch].group for switch in steps["switch"]]
    for place in range(1, len(groups)):
        if groups[place] != groups[place - 1]:
            axes.axvline(place + 0.5, color="0.85", linewidth=0.7, zorder=0)
    axes.axhline(0, color="0.3", linewidth=0.7)
    axes.set_xlim(-0.6, last + 0.6)
    if np.isnan(np.concatenate((before, after))).all():
        axes.text(0.5, 0.5, "no fact has this number", transform=axes.transAxes, ha="center", color=GREY)


def caption(audits: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: where each number starts and ends, over how many facts.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    lines = []
    for audit in audits:
        for name in NUMBERS:
            ends = [_stated(protocol, state["numbers"][name]) for protocol, state in audit["states"].items()]
            lines.append(f"{audit['model']}, {SHORT[name]}: {'; '.join(ends)}")
    return bullets(lines)


def _stated(protocol: str, number: Mapping[str, Any]) -> str:
    value, low, high = (number[part] for part in ("value", "low", "high"))
    if value is None or value != value:
        return f"{protocol}: undefined, no fact has it"
    bounds = (
        " (no interval: too few subjects)" if low is None or low != low else f" ({100 * low:.1f} … {100 * high:.1f})"
    )
    return f"{protocol}: {100 * value:.1f}{bounds} points, n = {number['facts']} facts"


def main(
    audit: Annotated[list[Path], Option(help="audit.json of a model; repeatable.")],
    confidence: flags.Confidence,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored audits."""
    audits = read_audits(audit)
    save(draw(audits, confidence), path_table(audits), output, caption(audits))
