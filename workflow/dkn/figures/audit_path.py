"""Figure ``audit_path``: three main numbers on the way from the text's protocol to the released one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from typer import Option

from dkn import flags
from dkn.audit.stored import SHORT, comparison_table, read_audits
from dkn.figures.points import points_axis
from dkn.figures.saving import save
from dkn.figures.style import DOWN, GREY, UP, plain, use_style
from dkn.study.protocol import SWITCHES
from dkn.summaries.wording import bullets, interval, missing

NUMBERS = {
    "gap": "degeneracy: full minus\npartial drop",
    "suppression_d": "suppression:\ndrop by D",
    "suppression": "suppression: drop by D\nminus by as many of N",
    "fact_checking": "fact-checking: F1 by D\nminus by N",
}
ROOM = 0.2  # of a panel, for the numbers at either end
UNDEFINED = "0.9"


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
    figure = Figure(figsize=(9, 0.6 + 5.2 * len(audits)), layout="constrained")
    axes = figure.subplots(len(audits), len(NUMBERS), squeeze=False)
    for row, audit in enumerate(audits):
        steps = table[table["model"] == audit["model"]]
        for panel, (name, title) in zip(axes[row], NUMBERS.items(), strict=True):
            _waterfall(panel, steps, name)
            panel.set_title(f"{plain(audit['model'])}\n{title}", fontsize=8)
            names = ["text", *steps["switch"], "released"] if name == next(iter(NUMBERS)) else []
            panel.set_yticks(range(len(names)), names)
            panel.set_ylim(len(steps) + 1.6, -0.6)
            panel.tick_params(labelsize=7)
    figure.legend(handles=_handles(), loc="outside lower center", ncols=5)
    figure.suptitle(
        "From the text to the released code, one departure after the other, in points (hundredths)\n"
        f"lines: {100 * confidence:g} % bootstrap intervals of the change, over subjects"
    )
    return figure


def _handles() -> list[Patch]:
    words = {GREY: "at either end", UP: "the switch adds", DOWN: "it takes away", UNDEFINED: "undefined after it"}
    return [Patch(color=colour, label=label) for colour, label in words.items()]


def _waterfall(axes: Axes, steps: pd.DataFrame, name: str) -> None:
    """Draw one number's way down: where it starts, every change, and where it ends; grounds mark where it is undefined.

    A change to or from an undefined number is none, and not drawn.
    """
    before, after = (100 * steps[f"{name}_{side}"].to_numpy(dtype=float) for side in ("before", "after"))
    bounds = 100 * steps[[f"{name}_low", f"{name}_high"]].to_numpy(dtype=float) + before[:, None]
    points_axis(axes, np.concatenate((before, after, bounds[before != after].ravel())), ROOM)
    last = len(steps) + 1
    for place, value in enumerate((before[0], *after, after[-1])):
        if np.isnan(value):
            axes.axhspan(place - 0.5, place + 0.5, color=UNDEFINED, linewidth=0, zorder=-1)
    for place, value in ((0, before[0]), (last, after[-1])):
        axes.barh(place, value, 0.7, color=GREY)
        words = "undefined" if np.isnan(value) else f"{value:.1f}".replace("-", "−")
        axes.annotate(words, (1, place), xycoords=("axes fraction", "data"), ha="right", va="center", size=7)
    for place, (start, end, (low, high)) in enumerate(zip(before, after, bounds, strict=True), 1):
        if np.isfinite(start):
            axes.plot([start, start], [place - 0.65, place - 0.35], color="0.5", linewidth=0.6)
        if np.isfinite(start + end) and start != end:
            axes.barh(place, end - start, 0.7, left=start, color=UP if end > start else DOWN)
            if np.isfinite(low):
                axes.hlines(place, low, high, color="black", linewidth=0.8)
    if np.isfinite(after[-1]):
        axes.plot([after[-1]] * 2, [last - 0.65, last - 0.35], color="0.5", linewidth=0.6)
    groups = [SWITCHES[switch].group for switch in steps["switch"]]
    for place in range(1, len(groups)):
        if groups[place] != groups[place - 1]:
            axes.axhline(place + 0.5, color="0.6", linewidth=0.7, zorder=0)
    axes.axvline(0, color="0.3", linewidth=0.7)


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
    if missing(value):
        return f"{protocol}: undefined, since no fact has it or nothing is compared"
    return f"{protocol}: {interval(value, low, high, 'drop', difference=True)}, n = {number['facts']} facts"


def main(
    audit: Annotated[list[Path], Option(help="audit.json of a model; repeatable.")],
    confidence: flags.Confidence,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored audits."""
    audits = read_audits(audit)
    save(draw(audits, confidence), path_table(audits), output, caption(audits))
