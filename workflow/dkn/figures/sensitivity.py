"""Figure ``sensitivity``: the degeneracy gap beyond the control, and coverage, over the grid of settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dkn.figures.style import panels

OUTER = {"x": "quantile", "y": "fraction"}
INNER = {"x": "tau2", "y": "tau1"}
NO_TEST = -np.inf  # where tau2 is missing: all of NTC's components, left of the smallest tau2
HATCH = "////"


def _axis(frame: pd.DataFrame, side: str) -> list[tuple[float, float]]:
    """The rows or columns of a heat map: every pair of an outer and an inner setting, ascending."""
    outer, inner = (sorted(frame[names[side]].unique()) for names in (OUTER, INNER))
    return [(first, second) for first in outer for second in inner]


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The grid points of one model with their column ``x`` and row ``y`` in the heat map."""
    frame = frame.assign(tau2=frame["tau2"].fillna(NO_TEST))
    for side in OUTER:
        place = {pair: number for number, pair in enumerate(_axis(frame, side))}
        frame[side] = [place[pair] for pair in zip(frame[OUTER[side]], frame[INNER[side]], strict=True)]
    return frame


def _image(cells: pd.DataFrame, column: str) -> np.ndarray:
    """(rows, columns) of one quantity in per cent; NaN where there is none."""
    image = np.full((cells["y"].max() + 1, cells["x"].max() + 1), np.nan)
    image[cells["y"], cells["x"]] = 100 * cells[column]
    return image


def _label(value: float) -> str:
    return "none" if value == NO_TEST else f"{value:g}"


def _grid(axes: Axes, cells: pd.DataFrame) -> None:
    """Ticks of the inner settings, lines and labels of the outer ones, and a frame around the study's own point."""
    for side, axis, limit in (("x", axes.xaxis, axes.axvline), ("y", axes.yaxis, axes.axhline)):
        pairs = _axis(cells, side)
        axis.set_ticks(range(len(pairs)), [_label(inner) for _, inner in pairs])
        axis.set_tick_params(length=0, labelsize=6.5)
        inner = cells[INNER[side]].nunique()
        outer = sorted(cells[OUTER[side]].unique())
        for number, value in enumerate(outer):
            middle = (number + 0.5) * inner - 0.5
            if number:
                limit(number * inner - 0.5, color="black", linewidth=1.2)
            text: dict[str, Any] = {"ha": "center", "va": "center", "size": 7.5, "annotation_clip": False}
            name = OUTER[side]
            if side == "x":
                axes.annotate(
                    f"{name} {value:g}", (middle, 1.0), (0, 6), ("data", "axes fraction"), "offset points", **text
                )
            else:
                axes.annotate(
                    f"{name} {value:g}",
                    (1.0, middle),
                    (6, 0),
                    ("axes fraction", "data"),
                    "offset points",
                    rotation=270,
                    **text,
                )
    axes.tick_params(axis="x", rotation=90)
    axes.set_xlabel("tau2 (none: no functional test)", size=7.5)
    axes.set_ylabel("tau1", size=7.5)
    for spine in axes.spines.values():
        spine.set_visible(True)
    for cell in cells[cells["own_settings"]].itertuples(index=False):
        axes.add_patch(
            Rectangle(
                (cell.x - 0.5, cell.y - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2, clip_on=False, zorder=5
            )
        )


def _write(axes: Axes, cells: pd.DataFrame, texts: Sequence[str], image: Any) -> None:
    """A short text in every cell, black or white against the cell's colour."""
    values = np.asarray(image.get_array()[cells["y"], cells["x"]].filled(np.nan), dtype=float)
    colours = image.cmap(image.norm(np.nan_to_num(values)))
    dark = colours[:, :3] @ [0.299, 0.587, 0.114] < 0.5
    for cell, text, white in zip(cells.itertuples(index=False), texts, dark & np.isfinite(values), strict=True):
        axes.text(cell.x, cell.y, text, ha="center", va="center", size=6, color="white" if white else "black")


def _panel(axes: Axes, cells: pd.DataFrame, column: str, norm: Normalize, colours: str) -> Any:
    axes.patch.set(hatch=HATCH, edgecolor="0.7")
    image = axes.imshow(
        np.ma.masked_invalid(_image(cells, column)), norm=norm, cmap=colours, aspect="auto", origin="lower"
    )
    _grid(axes, cells)
    return image


def _marks(cells: pd.DataFrame) -> list[str]:
    """What stands in a cell of the gap: whether its interval excludes zero, or that there is none."""
    above, below = cells["drop_gap_low"] > 0, cells["drop_gap_high"] < 0
    unknown = cells["drop_gap_low"].isna() & cells["drop_gap"].notna()
    return np.select([above | below, unknown], ["●", "?"], "").tolist()


def draw(table: pd.DataFrame) -> Figure:
    """The gap above coverage, a column per model; ``table`` has the columns of ``sensitivity_summary.grid_table``."""
    models = list(dict.fromkeys(table["model"]))
    figure, axes = panels(2, len(models), height=3.3)
    largest = float(np.nanmax(np.abs(table["drop_gap"]), initial=0)) or 1
    norms = {"drop_gap": CenteredNorm(halfrange=100 * largest), "coverage": Normalize(0, 100)}
    for number, model in enumerate(models):
        cells = _cells(table[table["model"] == model])
        gap = _panel(axes[0][number], cells, "drop_gap", norms["drop_gap"], "PuOr")
        _write(axes[0][number], cells, _marks(cells), gap)
        axes[0][number].set_title(f"{model}: gap beyond the control", pad=14)
        share = _panel(axes[1][number], cells, "coverage", norms["coverage"], "cividis")
        _write(axes[1][number], cells, [str(count) for count in cells["degenerate"]], share)
        counts = cells["facts"].unique()
        axes[1][number].set_title(f"{model}: degenerate facts of {', '.join(map(str, counts))}", pad=14)
    labels = ("gap beyond control\n(% of Prob)", "coverage (%)")
    for row, (image, label) in enumerate(zip((gap, share), labels, strict=True)):
        figure.colorbar(image, ax=axes[row], label=label, fraction=0.05, aspect=25)
    handles = [
        Line2D([], [], marker="o", linestyle="", color="black", markersize=4, label="95 % interval excludes 0"),
        Patch(fill=False, edgecolor="black", linewidth=2, label="the study's own settings"),
        Patch(facecolor="white", edgecolor="0.7", hatch=HATCH, label="no degenerate fact"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.suptitle(
        "Full minus partial drop of a fact's components, minus the same for random groups of the same sizes"
    )
    return figure
