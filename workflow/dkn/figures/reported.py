"""Figure ``reported``: the paper's numbers beside this study's, each under the name of its own model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, MARKERS, WIDTH, error_bars, use_style
from dkn.storage.checked_texts import read_checked
from dkn.summaries.wording import bullets, interval

ROW = 0.15  # the height of a quantity's row, in inches
TITLES = {
    "degeneracy": "degeneracy: drop in Prob (%)",
    "degeneracy-by-count": "degeneracy of NTC by the number of BDCs: drop in Prob (%)",
    "suppression": "suppression: drop in Prob on perturbed queries (%)",
    "enhancement": "enhancement: accuracy regained on perturbed queries (%)",
    "fact-checking": "fact-checking: F1 (neurons found with the true answer)",
    "fine-tuning": "fine-tuning: accuracy (%)",
    "overlap": "overlap (%)",
}


def _short(quantity: str) -> str:
    """Return a quantity's label without the words that its panel's title says already."""
    for said in (" (%)", "drop in Prob, ", "accuracy regained, ", "F1, ", " drop in Prob"):
        quantity = quantity.replace(said, "")
    return quantity


def _styles(frame: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the style of each kind and model: open grey signs for the paper, coloured ones for this study."""
    keys = list(frame[["kind", "model"]].drop_duplicates().itertuples(index=False, name=None))
    reported = [key for key in keys if key[0] == "reported"]
    own_keys = [key for key in keys if key[0] != "reported"]
    styles: dict[tuple[str, str], dict[str, Any]] = {
        key: {"color": "0.35", "marker": m, "markerfacecolor": "white"} for key, m in zip(reported, "DX", strict=False)
    }
    for index, key in enumerate(own_keys):
        styles[key] = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
    return styles


def _panel(axes: Axes, rows: pd.DataFrame, styles: dict[tuple[str, str], dict[str, Any]]) -> None:
    quantities = list(dict.fromkeys(rows["quantity"]))
    for (kind, model), numbers in rows.groupby(["kind", "model"], sort=False):
        levels = [quantities.index(quantity) for quantity in numbers["quantity"]]
        value, spread = error_bars(numbers, 1, "value")
        axes.errorbar(value, levels, xerr=spread, linestyle="", markersize=3.5, capsize=1.5, **styles[kind, model])
    axes.set_yticks(range(len(quantities)), [_short(quantity) for quantity in quantities])
    axes.tick_params(axis="y", labelsize=6)
    axes.set_ylim(len(quantities) - 0.4, -0.6)
    axes.grid(axis="y", color="0.93", linewidth=0.5)


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a panel per setting; the study's numbers have intervals, the paper's have none.

    Args:
        frame: the columns of table ``reported``.
    """
    use_style()
    settings = [name for name in TITLES if (frame["setting"] == name).any()]
    sizes = [frame.loc[frame["setting"] == name, "quantity"].nunique() + 2.5 for name in settings]
    figure = Figure(figsize=(1.6 * WIDTH, ROW * sum(sizes) + 0.9), layout="constrained")
    all_axes = figure.subplots(len(settings), 1, squeeze=False, height_ratios=sizes)[:, 0]
    styles = _styles(frame)
    for axes, name in zip(all_axes, settings, strict=True):
        _panel(axes, frame[frame["setting"] == name], styles)
        axes.set_title(TITLES[name], loc="right")
    handles = [
        all_axes[0].errorbar(
            [],
            [],
            linestyle="",
            markersize=4,
            label=("paper: " if kind == "reported" else "this study: ") + model,
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
