"""One look for all figures: colour-blind safe, readable at column width, fonts that are on every machine."""

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
WIDTH = 3.4  # inches of one panel
TITLE_LETTERS = 40  # of a figure's title that a panel's width holds


def use_style() -> None:
    """Apply the style to matplotlib's defaults."""
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
    """A figure of equal panels."""
    use_style()
    figure = Figure(figsize=(WIDTH * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def fitted(text: str, columns: int) -> str:
    """A title in lines that a figure of so many panels side by side holds."""
    return textwrap.fill(text, width=TITLE_LETTERS * columns)


def bootstrap_at(*confidences: float) -> str:
    """What error bars of some confidence (of several, where summaries differ) are, for a title."""
    return f"{' and '.join(f'{100 * confidence:g}' for confidence in confidences)} % bootstrap over subjects"


def intervals_of(summaries: Sequence[Mapping[str, Any]]) -> str:
    """What error bars are, for a title; the confidence is the one that the summaries were made with."""
    return bootstrap_at(*sorted({summary["provenance"]["settings"]["confidence"] for summary in summaries}))


def error_bars(rows: pd.DataFrame, factor: float = 1.0, value: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Values and (2, n) error bars, both times a factor; an interval that is undefined is not drawn.

    Args:
        rows: columns low, high and ``value``; low and high are missing where there are too few subjects.
    """
    middle = factor * rows[value].to_numpy(dtype=float)
    return middle, np.nan_to_num(np.abs(factor * rows[["low", "high"]].to_numpy(dtype=float).T - middle))


def say_nothing_to_draw(axes: Axes, words: str) -> None:
    """Say in a panel why it is empty, and take its ticks away."""
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
