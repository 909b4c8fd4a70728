"""One style for all figures: safe for colour-blind readers, legible at column width, with fonts of every machine."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GREY = "0.45"
# Okabe and Ito's palette, without its yellow and black.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
MARKERS = ["o", "s", "^", "D", "v", "P"]
WIDTH = 3.4  # the width of one panel, in inches
TITLE_LETTERS = 40  # how many letters of a figure's title fit into the width of one panel


def use_style() -> None:
    """Make the style matplotlib's default."""
    sns.set_theme(
        context="paper",
        style="ticks",
        font="DejaVu Sans",
        rc={
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 9,
            "axes.labelsize": 8.5,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 7.5,
            "legend.frameon": False,
            "figure.titlesize": 10,
            "pdf.fonttype": 42,
            "savefig.dpi": 200,
        },
    )


def panels(rows: int, columns: int, height: float = 2.5) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of equal panels, and its axes as rows of columns.

    Args:
        rows, columns: the numbers of rows and of columns.
        height: the height of one panel, in inches.
    """
    use_style()
    figure = Figure(figsize=(WIDTH * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def fitted(text: str, columns: int) -> str:
    """Return a title in lines that fit into the width of a figure with so many columns of panels."""
    return textwrap.fill(text, width=TITLE_LETTERS * columns)


def bootstrap_at(*confidences: float) -> str:
    """Return what the error bars of a figure are, for its title.

    Args:
        confidences: their confidence, between 0 and 1; several where summaries differ.
    """
    return f"{' and '.join(f'{100 * confidence:g}' for confidence in confidences)} % bootstrap intervals over subjects"


def intervals_of(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Return what the error bars of a figure are, for its title, with the confidence that the summaries state."""
    return bootstrap_at(*sorted({summary["provenance"]["settings"]["confidence"] for summary in summaries}))


def error_bars(rows: pd.DataFrame, factor: float = 1.0, value: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) values and (2, n) lengths of their error bars; the bars of undefined intervals have length zero.

    Args:
        rows: the columns low, high and ``value``; low and high are missing where there are too few subjects.
        factor: the factor by which values and bars are multiplied.
        value: the name of the column of values.
    """
    middle = factor * rows[value].to_numpy(dtype=float)
    return middle, np.nan_to_num(np.abs(factor * rows[["low", "high"]].to_numpy(dtype=float).T - middle))


def say_nothing_to_draw(axes: Axes, words: str) -> None:
    """Write into a panel why it is empty, and remove its ticks."""
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
