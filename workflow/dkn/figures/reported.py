"""Figure ``reported``: the paper's numbers beside this study's, models named as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, MARKERS, WIDTH, error_bars, use_style
from dkn.summaries.wording import bullets, interval

ROW = 0.15  # inches of a quantity
TITLES = {
    "degeneracy": "degeneracy: drop in Prob (%)",
    "suppression": "suppression: drop in Prob on perturbed queries (%)",
    "enhancement": "enhancement: accuracy regained on perturbed queries (%)",
    "fact-checking": "fact-checking: F1 (neurons found with the true answer)",
    "fine-tuning": "fine-tuning: accuracy (%)",
    "overlap": "overlap (%)",
}


def _short(quantity: str) -> str:
    """A quantity's label without what its panel's title says already."""
    for said in (" (%)", "drop in Prob, ", "accuracy regained, ", "F1, ", " drop in Prob"):
        quantity = quantity.replace(said, "")
    return quantity


def _looks(frame: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Open grey signs for the paper's models, filled ones in colour for the study's."""
    keys = list(frame[["kind", "model"]].drop_duplicates().itertuples(index=False, name=None))
    reported = [key for key in keys if key[0] == "reported"]
    own = [key for key in keys if key[0] != "reported"]
    looks: dict[tuple[str, str], dict[str, Any]] = {
        key: {"color": "0.35", "marker": m, "markerfacecolor": "white"} for key, m in zip(reported, "DX", strict=False)
    }
    for place, key in enumerate(own):
        looks[key] = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}
    return looks


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[tuple[str, str], dict[str, Any]]) -> None:
    quantities = list(dict.fromkeys(rows["quantity"]))
    for (kind, model), part in rows.groupby(["kind", "model"], sort=False):
        place = [quantities.index(quantity) for quantity in part["quantity"]]
        value, spread = error_bars(part, 1, "value")
        axes.errorbar(value, place, xerr=spread, linestyle="", markersize=3.5, capsize=1.5, **looks[kind, model])
    axes.set_yticks(range(len(quantities)), [_short(quantity) for quantity in quantities])
    axes.tick_params(axis="y", labelsize=6)
    axes.set_ylim(len(quantities) - 0.4, -0.6)
    axes.grid(axis="y", color="0.93", linewidth=0.5)


def draw(frame: pd.DataFrame) -> Figure:
    """A panel per setting; the study's numbers have intervals, the paper's have none."""
    use_style()
    settings = [name for name in TITLES if (frame["setting"] == name).any()]
    sizes = [frame.loc[frame["setting"] == name, "quantity"].nunique() + 2.5 for name in settings]
    figure = Figure(figsize=(1.6 * WIDTH, ROW * sum(sizes) + 0.9), layout="constrained")
    places = figure.subplots(len(settings), 1, squeeze=False, height_ratios=sizes)[:, 0]
    looks = _looks(frame)
    for axes, name in zip(places, settings, strict=True):
        _panel(axes, frame[frame["setting"] == name], looks)
        axes.set_title(TITLES[name], loc="right")
    handles = [
        places[0].errorbar(
            [], [], linestyle="", markersize=4, label=("paper: " if k == "reported" else "this study: ") + m, **look
        )
        for (k, m), look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def caption(frame: pd.DataFrame) -> str:
    """How many numbers of whom there are, and the first of them, by which a reader can find the scale."""
    lines = []
    for (kind, model), rows in frame.groupby(["kind", "model"], sort=False):
        first = rows.iloc[0]
        if kind == "reported":
            who, number = f"the paper's {model}", f"{first['value']:.3g}"
        else:
            who = f"{model}, this study's"
            number = f"{interval(first['value'], first['low'], first['high'])}, n = {first['facts']:.0f} facts"
        lines.append(f"{who}: {len(rows)} numbers; {first['quantity']}: {number}")
    return bullets(lines)


def main(table: Annotated[Path, Option(help="reported.csv")], output: flags.Pdf) -> None:
    """Draw from the stored table."""
    frame = pd.read_csv(table)
    save(draw(frame), frame, output, caption(frame))
