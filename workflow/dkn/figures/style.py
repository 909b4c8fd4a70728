"""One style for all figures: safe for colour-blind readers, legible at column width, with fonts of every machine.

Text from outside goes through ``fitted`` or ``plain``: it is never read as mathematics, and what no font has is counted
in brackets, since a box says less. The caption has the letters themselves.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.typing import ColorType

from dkn.plain_text import CLOSE, LEFT_TO_RIGHT, OPEN, isolated, matplotlib, one_line
from dkn.study.names import (
    ALL,
    ANSWER_PROB,
    ATTRIBUTION,
    BDC,
    CLUSTERINGS,
    CONTROL,
    DKN,
    KN,
    KN_MATCHED,
    MAGNITUDE,
    MATCHED,
    NTC,
    OTHER_FACT,
    OTHER_RELATION,
    PLM,
    RANDOM,
    RANDOM_KN,
    RANDOM_ORDER,
    SHUFFLED,
)

GREY = "0.45"
# Okabe and Ito's palette, without its yellow and black.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
MARKERS = ["o", "s", "^", "D", "v", "P"]


class Look(NamedTuple):
    """What a thing is told by: its colour, and its marker where the figure is printed in grey."""

    colour: str
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Both, under matplotlib's names for lines."""
        return {"color": self.colour, "marker": self.marker}


INK = "0.15"
# The sets of neurons, detectors and controls look the same in every figure. Random ones are grey.
LOOKS = {
    DKN: Look(COLOURS[1], "o"),
    KN: Look(COLOURS[0], "s"),
    KN_MATCHED: Look(COLOURS[4], "^"),
    RANDOM: Look(GREY, "D"),  # random groupings that are tested have the same name
    RANDOM_KN: Look("0.58", "v"),
    MATCHED: Look("0.3", "<"),
    OTHER_FACT: Look(COLOURS[3], "p"),
    OTHER_RELATION: Look(COLOURS[5], "h"),
    ALL: Look(INK, ">"),
    PLM: Look(COLOURS[2], "P"),
    ANSWER_PROB: Look("#882255", "X"),
    CONTROL: Look(GREY, "X"),
    SHUFFLED: Look(GREY, "^"),
    MAGNITUDE: Look(COLOURS[2], "^"),
}
# Parts of D, and orders that begin with N or with random neurons, look like these.
LOOKS |= {BDC: LOOKS[DKN], ATTRIBUTION: LOOKS[KN], RANDOM_ORDER: LOOKS[RANDOM]}
FAILED = LOOKS[KN].colour  # of a component that failed the functional test: in N, but not in D
LOOP = COLOURS[2]  # of a loop of the filtration
UP, DOWN = COLOURS[2], COLOURS[1]  # of a number that grew, and of one that fell
PALE = 0.3  # the opacity of what is of so few subjects that it has no interval
# The colours of each verdict and of the words on it, and a sign that can be told without colours.
VERDICT_LOOKS = {
    "supported": ("#00664A", "white", "✔"),
    "contradicted": ("#A63F00", "white", "✘"),
    "equivalent": ("#0B5C94", "white", "="),
    "inconclusive": ("0.85", "0.15", "?"),
    "too few facts": ("0.95", "0.15", "–"),
    "not run": ("white", "0.15", "–"),
}
WIDTH = 3.4  # the width of one panel, in inches
PANEL_LETTERS = 36  # how many letters of a panel's title fit beside the next panel's
TITLE_LETTERS = 40  # how many letters of a figure's title fit into the width of one panel
MOST_TITLE_LINES = 6  # the most lines of a title; what is longer ends with an ellipsis
FONT = "DejaVu Sans"  # comes with matplotlib
# Where these are installed, they draw what the font above lacks. Fonts of coloured pictures cannot be scaled.
OTHER_FONTS = (
    *(f"Noto Sans CJK {region}" for region in ("SC", "JP", "KR", "TC")),
    *("Source Han Sans SC", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans"),
    *("Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali"),
    *("Noto Sans Thai", "Noto Emoji", "Noto Sans Symbols2", "Symbola"),
)
UNDRAWN = frozenset("\u200c\u200d" + OPEN + CLOSE + LEFT_TO_RIGHT)  # these direct the drawing, and need no glyph
# Variation selectors, tags, and a mark that is drawn as nothing and ends the writing of a PDF.
LEFT_OUT = dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0000, 0xE01F0), 0xFEFF])


def numbered(place: int) -> Look:
    """Return the look of what has no look of its own, by its place in a list: 30 places differ."""
    return Look(COLOURS[place % len(COLOURS)], MARKERS[(place + place // len(COLOURS)) % len(MARKERS)])


def of_models(models: Iterable[str]) -> dict[str, Look]:
    """Return the look of every model, which does not depend on the order in which a figure has them."""
    return {model: numbered(place) for place, model in enumerate(sorted(set(models)))}


def of_groupings(groupings: Iterable[str]) -> dict[str, Look]:
    """Return the look of every grouping, in the given order: NTC, whose components make D, has the first one."""
    known = (NTC, *CLUSTERINGS)
    asked = list(dict.fromkeys(groupings))
    places = [*known, *(name for name in asked if name not in known)]
    return {name: numbered(places.index(name)) for name in asked}


@cache
def fonts() -> list[str]:
    """Return the names of the fonts that draw text, the first of which has most of it."""
    installed = {entry.name for entry in fontManager.ttflist}
    return [FONT, *(name for name in OTHER_FONTS if name in installed and _letters(name))]


@cache
def _letters(font: str) -> frozenset[int]:
    """Return the code points that a font has; none where matplotlib cannot read the font."""
    try:
        return frozenset(get_font(findfont(font, fallback_to_default=False)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _with_glyphs(text: str) -> str:
    """Return a text in one line in which brackets count the characters that no font has."""
    has = frozenset[int]().union(*map(_letters, fonts()))
    text = one_line(text.translate(LEFT_OUT))

    def kind(sign: str) -> str:
        return " " if sign == " " or sign in UNDRAWN else "." if ord(sign) in has else "x"

    kinds = "".join(map(kind, text))
    parts, end = [], 0
    for run in re.finditer("x(?:[x ]*x)?", kinds):
        count = run[0].count("x")
        note = f"[{count} character{'s' if count > 1 else ''} without a font]"
        parts += [text[end : run.start()], note.replace(" ", "\u00a0")]  # spaces at which no line ends
        end = run.end()
    return "".join([*parts, text[end:]])


def _line(text: str) -> str:
    """Return one line as matplotlib draws it, from left to right but for words that run from right to left."""
    line = matplotlib(isolated(text))
    return LEFT_TO_RIGHT + line if OPEN in line else line


def plain(text: str) -> str:
    """Return a text, in one line, as matplotlib draws it as it is."""
    return _line(_with_glyphs(text))


def use_style() -> None:
    """Make the style matplotlib's default."""
    sns.set_theme(
        context="paper",
        style="ticks",
        font=fonts(),
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
    """Return a title, as it is, in lines that fit into the width of a figure with so many columns of panels."""
    width = TITLE_LETTERS * columns
    lines = textwrap.wrap(_with_glyphs(text), width, max_lines=MOST_TITLE_LINES, placeholder=" …")
    return "\n".join(map(_line, lines))


def heading(*texts: str) -> str:
    """Return a panel's title: each text, as it is, in lines that fit above the panel; a long name is broken."""
    return "\n".join(_line(line) for text in texts for line in textwrap.wrap(_with_glyphs(text), PANEL_LETTERS))


def bootstrap_at(*confidences: float) -> str:
    """Return what the error bars of a figure are, for its title.

    Args:
        confidences: their confidence, between 0 and 1; several where summaries differ.
    """
    return f"{' and '.join(f'{100 * confidence:g}' for confidence in confidences)} % bootstrap intervals over subjects"


def intervals_of(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Return what the error bars of a figure are, for its title, with the confidence that the summaries state."""
    return bootstrap_at(*sorted({summary["provenance"]["settings"]["confidence"] for summary in summaries}))


def contrast_ratio(first: ColorType, second: ColorType) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG 2.2 defines it; text needs 4.5."""
    lights = []
    for colour in (first, second):
        parts = np.array(to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def ink_on(ground: ColorType) -> str:
    """Return black or white, whichever can be read better on a colour: one of the two has a contrast above 4.5."""
    return max(("white", "black"), key=lambda ink: contrast_ratio(ink, ground))


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
    axes.text(0.5, 0.5, plain(words), ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
