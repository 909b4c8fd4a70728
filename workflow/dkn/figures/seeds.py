"""Figure ``seeds``: a forest plot of every main number, seed by seed and over all seeds of an entry."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, INK, WIDTH, error_bars, fitted, numbered, panels, say_nothing_to_draw, use_style
from dkn.storage.files import read_json
from dkn.summaries.seeds import CONTRASTS, table
from dkn.summaries.wording import bullets, factor, interval, missing, sized

NOTHING = "nothing to combine over seeds"
LETTERS = 44  # of a line beside a number
ROW, AROUND = 0.42, 0.65  # inches: the height of one number, and of what surrounds a panel


def _number(axes: Axes, level: int, rows: pd.DataFrame) -> None:
    """Draw one number at a level: a sign per seed from top to bottom, below them their combination."""
    seeds, together = rows[rows["replicates"].isna()], rows[rows["replicates"].notna()].iloc[0]
    value, spread = error_bars(seeds, value="value")
    heights = level + np.linspace(-0.34, 0.1, len(seeds))
    thin: dict[str, Any] = {"fmt": "o", "markersize": 2.5, "linewidth": 0.8, "color": numbered(0).colour}
    axes.errorbar(value, heights, xerr=spread, **thin)
    note = f"{int(together['replicates'])} of {int(together['models'])} seeds"
    if not missing(together["value"]):
        value, spread = error_bars(together.to_frame().T, value="value")
        axes.errorbar(value, [level + 0.3], xerr=spread, fmt="D", markersize=4, linewidth=1.8, color=INK)
        note += f"\nτ {together['tau']:.2g}, I² {100 * together['i2']:.0f} %"
    axes.text(1.01, level, note, transform=axes.get_yaxis_transform(), va="center", size=6, color=GREY)


def _panel(axes: Axes, rows: pd.DataFrame, words: Sequence[str]) -> None:
    """Draw the numbers that one claim needs, one below the other."""
    for level, name in enumerate(words):
        of_number = rows[rows["words"] == name]
        if len(of_number):
            _number(axes, level, of_number)
    axes.set_ylim(len(words) - 0.4, -0.6)
    contrasts = (rows["part"] == CONTRASTS).any()
    if contrasts:
        axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xlabel("difference" if contrasts else "value", size=6.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(axis="y", length=0, labelsize=6.5)
    axes.tick_params(axis="x", labelsize=6.5)


def draw(frame: pd.DataFrame, confidence: float) -> Figure:
    """Draw a column per entry, a row of panels per claim, and a line per number.

    Args:
        frame: as ``dkn.summaries.seeds.table`` returns it; may be empty.
        confidence: the confidence of the intervals, between 0 and 1.
    """
    entries, groups = (list(dict.fromkeys(frame[name])) for name in ("entry", "needed_by"))
    if not entries:
        figure, grid = panels(1, 1)
        say_nothing_to_draw(grid[0][0], NOTHING)
        return figure
    use_style()
    words = {group: list(dict.fromkeys(frame.loc[frame["needed_by"] == group, "words"])) for group in groups}
    heights = [ROW * len(words[group]) + AROUND for group in groups]
    figure = Figure(figsize=(WIDTH * (len(entries) + 0.7), sum(heights) + 0.8), layout="constrained")
    every = figure.subplots(len(groups), len(entries), squeeze=False, sharey="row", height_ratios=heights)
    for row, group in enumerate(groups):
        for column, entry in enumerate(entries):
            axes = every[row][column]
            _panel(axes, frame[(frame["needed_by"] == group) & (frame["entry"] == entry)], words[group])
            axes.set_title(f"{entry}: {group}", size=7.5)
        every[row][0].set_yticks(range(len(words[group])), [textwrap.fill(text, LETTERS) for text in words[group]])
    handles = [
        Line2D(
            [],
            [],
            color=numbered(0).colour,
            marker="o",
            markersize=2.5,
            linewidth=0.8,
            label="one seed (over subjects)",
        ),
        Line2D([], [], color=INK, marker="D", markersize=4, linewidth=1.8, label="over seeds (random effects)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    title = f"Main numbers, seed by seed and over seeds ({100 * confidence:g} % intervals, not adjusted)"
    figure.suptitle(fitted(title, len(entries) + 1))
    return figure


def caption(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: every combination, how much the seeds differ, and in how many of them it is.

    Args:
        rows: the rows of seeds.json.
    """
    lines = []
    for row in rows:
        about = f"{row['name']}, {row['needed_by']}: {row['words']}"
        counts = f"in {row['replicates']} of {row['models']} seeds"
        counts += f", each with at least {sized(row)}" if row["seeds"] else ""
        if missing(row["value"]):
            lines.append(f"{about}: not combined, {counts}")
            continue
        metric = row["where"]["metric"]
        number = interval(row["value"], row["low"], row["high"], metric, row["part"] == CONTRASTS)
        lines.append(f"{about}: {number}, tau {factor(metric) * row['tau']:.2g}, I² {100 * row['i2']:.0f} %, {counts}")
    return bullets(lines or [f"{NOTHING}, n = 0"])


def main(seeds: Annotated[Path, Option(help="seeds.json")], output: flags.Pdf) -> None:
    """Draw the figure from the stored combinations."""
    content = read_json(seeds)
    frame = table(content["rows"])
    save(draw(frame, content["provenance"]["settings"]["confidence"]), frame, output, caption(content["rows"]))
