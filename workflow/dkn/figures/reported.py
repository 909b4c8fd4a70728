"""Figure ``reported``: the paper's numbers beside this study's, each under the name of its own model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import WIDTH, error_bars, of_models, plain, use_style
from dkn.storage.checked_texts import read_checked
from dkn.summaries.wording import bullets, interval

ROW = 0.15  # the height of a quantity's row, in inches
COLUMNS = 2  # of panels, which keep the figure below the height of two screens
AROUND = 4.0  # rows' heights for a panel's title and its two scales
WORDS = {
    " of dkn": " of D",
    " of kn": " of N",
    " of random": " of random neurons",
    " of none": ": none suppressed",
    "dkn trained": "D trained",
    "random trained": "random neurons trained",
    "all trained": "all parameters trained",
    "kn trained": "N trained",
    "augmented facts": "unseen paraphrases",
    "dbscan": "DBSCAN",
    "kmeans": "k-means",
    "amig": "AMIG",
    "ntc": "NTC",
    "partial": "some BDCs suppressed,",
    "full": "all BDCs suppressed,",
}
ALONE = {"dkn": "D", "kn": "N", "plm": "the model, asked"}
TITLES = {
    "degeneracy": "degeneracy: drop in Prob (%)",
    "degeneracy-by-count": "degeneracy of NTC by the number of BDCs: drop in Prob (%)",
    "suppression": "suppression: drop in Prob on perturbed queries (%)",
    "enhancement": "enhancement: accuracy regained on perturbed queries (%)",
    "fact-checking": "fact-checking: F1 (%; neurons found with the true answer)",
    "fine-tuning": "fine-tuning: accuracy (%)",
    "overlap": "overlap (%)",
}


def _short(quantity: str) -> str:
    """Return a quantity's label in words, without those that its panel's title says already."""
    for said in (" (%)", "drop in Prob, ", "accuracy regained, ", "F1, ", " drop in Prob"):
        quantity = quantity.replace(said, "")
    for key, words in WORDS.items():
        quantity = quantity.replace(key, words)
    return ALONE.get(quantity, quantity)


def _styles(frame: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the style of each kind and model: open grey signs for the paper, coloured ones for this study."""
    keys = list(frame[["kind", "model"]].drop_duplicates().itertuples(index=False, name=None))
    reported = [key for key in keys if key[0] == "reported"]
    own_keys = [key for key in keys if key[0] != "reported"]
    looks = of_models(model for _, model in own_keys)
    styles: dict[tuple[str, str], dict[str, Any]] = {
        key: {"color": "0.35", "marker": m, "markerfacecolor": "white"} for key, m in zip(reported, "*X", strict=False)
    }
    return styles | {key: dict(looks[key[1]].line) for key in own_keys}


def _panel(axes: Axes, rows: pd.DataFrame, styles: dict[tuple[str, str], dict[str, Any]]) -> None:
    quantities = list(dict.fromkeys(rows["quantity"]))
    for (kind, model), numbers in rows.groupby(["kind", "model"], sort=False):
        levels = [quantities.index(quantity) for quantity in numbers["quantity"]]
        value, spread = error_bars(numbers, 1, "value")
        axes.errorbar(value, levels, xerr=spread, linestyle="", markersize=3.5, capsize=1.5, **styles[kind, model])
    axes.set_yticks(range(len(quantities)), [_short(quantity) for quantity in quantities])
    axes.tick_params(axis="y", labelsize=6)
    axes.tick_params(axis="x", labelsize=6.5, top=True, labeltop=True)
    axes.set_ylim(len(quantities) - 0.4, -0.6)
    axes.grid(axis="y", color="0.93", linewidth=0.5)


def _balanced(sizes: Mapping[str, float]) -> list[list[str]]:
    """Return the panels in columns of about the same height, in their order: where they break, the taller is lowest."""
    names = list(sizes)
    if len(names) < COLUMNS:
        return [names]
    totals = np.cumsum(list(sizes.values()))
    taller = np.maximum(totals, totals[-1] - totals)
    last = int(taller[:-1].argmin()) + 1
    return [names[:last], names[last:]]


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a panel per setting; the study's numbers have intervals, the paper's have none.

    Args:
        frame: the columns of table ``reported``.
    """
    use_style()
    settings = [name for name in TITLES if (frame["setting"] == name).any()]
    sizes = {name: frame.loc[frame["setting"] == name, "quantity"].nunique() + AROUND for name in settings}
    columns = _balanced(sizes)
    tallest = max(sum(map(sizes.__getitem__, column)) for column in columns)
    figure = Figure(figsize=(1.3 * WIDTH * len(columns), ROW * tallest + 0.9), layout="constrained")
    styles, all_axes = _styles(frame), []
    for part, column in zip(np.ravel(figure.subfigures(1, len(columns), squeeze=False)), columns, strict=True):
        rest = tallest - sum(map(sizes.__getitem__, column))
        heights = [*map(sizes.__getitem__, column), *([rest] if rest > 1 else [])]
        drawn = part.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes in drawn[len(column) :]:
            axes.remove()  # it kept the room below a column that is shorter than the other
        for axes, name in zip(drawn, column, strict=False):
            _panel(axes, frame[frame["setting"] == name], styles)
            axes.set_title(TITLES[name], loc="right")
            all_axes.append(axes)
    handles = [
        all_axes[0].errorbar(
            [],
            [],
            linestyle="",
            markersize=4,
            label=("paper: " if kind == "reported" else "this study: ") + plain(model),
            **style,
        )
        for (kind, model), style in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def caption(frame: pd.DataFrame) -> str:
    """Return the caption's numbers: how many each model has, and the first of them, by which a reader finds the scale.

    Args:
        frame: the columns of table ``reported``.
    """
    lines = []
    for (kind, model), rows in frame.groupby(["kind", "model"], sort=False):
        first = rows.iloc[0]
        if kind == "reported":
            who, number = f"the paper's {model}", f"{first['value']:g}"
        else:
            who = f"this study's {model}"
            number = f"{interval(first['value'], first['low'], first['high'])}, n = {first['facts']:.0f} facts"
        lines.append(f"{who}: {len(rows)} numbers; {first['quantity']}: {number}")
    if (frame["kind"] == "reported").all():
        lines.append("this study: no number, since no fact is left to compute one from")
    return bullets(lines)


def main(table: Annotated[Path, Option(help="reported.csv")], output: flags.Pdf) -> None:
    """Draw the figure from the stored table ``reported``."""
    frame = pd.read_csv(io.StringIO(read_checked(table)))
    save(draw(frame), frame, output, caption(frame))
