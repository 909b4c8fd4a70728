"""Figure ``sensitivity``: the degeneracy gap beyond the control, and coverage, over the grid of settings.

Every model has two heat maps for each functional test. Their blocks differ in the filtration's limit (quantile) and in
the fraction that selects knowledge neurons; the cells of a block differ in tau1 and tau2 (docs/method.md).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import ink_on, panels, say_nothing_to_draw
from dkn.statistics.inference import MIN_SUBJECTS
from dkn.storage.checked_texts import read_checked
from dkn.summaries.wording import bullets, interval

OUTER = {"x": "quantile", "y": "fraction"}
INNER = {"x": "tau2", "y": "tau1"}
NO_TEST = -np.inf  # stands for a missing tau2 (all of NTC's components), which is drawn left of the smallest tau2
HATCH, MARK = "////", "●"


def _axis(frame: pd.DataFrame, side: str) -> list[tuple[float, float]]:
    """Return the rows or columns of a heat map: every pair of an outer and an inner setting, ascending."""
    outer, inner = (sorted(frame[names[side]].unique()) for names in (OUTER, INNER))
    return [(first, second) for first in outer for second in inner]


def _cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the grid points of one model with their column ``x`` and row ``y`` in the heat map."""
    frame = frame.assign(tau2=frame["tau2"].fillna(NO_TEST))
    for side in OUTER:
        index = {pair: number for number, pair in enumerate(_axis(frame, side))}
        frame[side] = [index[pair] for pair in zip(frame[OUTER[side]], frame[INNER[side]], strict=True)]
    return frame


def _image(cells: pd.DataFrame, column: str) -> np.ndarray:
    """Return (rows, columns) the values of one column in per cent; NaN where there is none."""
    image = np.full((cells["y"].max() + 1, cells["x"].max() + 1), np.nan)
    image[cells["y"], cells["x"]] = 100 * cells[column]
    return image


def _label(value: float) -> str:
    return "none" if value == NO_TEST else f"{value:g}"


def _outer_labels(axes: Axes, cells: pd.DataFrame, side: str) -> None:
    """Draw lines between the blocks of an outer setting, and write each block's value above or to the right of it."""
    inner = cells[INNER[side]].nunique()
    across = side == "x"
    line = axes.axvline if across else axes.axhline
    for number, value in enumerate(sorted(cells[OUTER[side]].unique())):
        middle = (number + 0.5) * inner - 0.5
        if number:
            line(number * inner - 0.5, color="black", linewidth=1.2)
        axes.annotate(
            f"{OUTER[side]} {value:g}",
            (middle, 1) if across else (1, middle),
            (0, 6) if across else (7, 0),
            ("data", "axes fraction") if across else ("axes fraction", "data"),
            "offset points",
            rotation=0 if across else 270,
            ha="center",
            va="center",
            size=7.5,
            annotation_clip=False,
        )


def _settings(axes: Axes, cells: pd.DataFrame) -> None:
    """Draw ticks and labels of the settings, and a frame around the point with the study's own settings."""
    for side, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        values = [inner for _, inner in _axis(cells, side)]
        axis.set_ticks(range(len(values)), [_label(value) for value in values])
        axis.set_tick_params(length=0, labelsize=6.5)
        _outer_labels(axes, cells, side)
    axes.tick_params(axis="x", rotation=90)
    axes.set_xlabel("tau2 (none: no functional test)", size=7.5)
    axes.set_ylabel("tau1", size=7.5, labelpad=1)
    axes.spines[["top", "right"]].set_visible(True)
    for cell in cells[cells["own_settings"]].itertuples(index=False):
        corner = cell.x - 0.5, cell.y - 0.5
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=2, clip_on=False, zorder=5))


def _panel(axes: Axes, cells: pd.DataFrame, column: str, norm: Normalize, colours: str, texts: Sequence[str]) -> Any:
    """Draw a heat map with a short text in every cell, black or white against the cell's colour."""
    axes.patch.set(hatch=HATCH, edgecolor="0.7")
    shown = np.ma.masked_invalid(_image(cells, column))
    image = axes.imshow(shown, norm=norm, cmap=colours, aspect="auto", origin="lower")
    values = shown[cells["y"], cells["x"]].filled(0)
    inks = [ink_on(colour) for colour in image.cmap(norm(values))]
    size = min(6, 70 / shown.shape[1])
    for cell, text, ink in zip(cells.itertuples(index=False), texts, inks, strict=True):
        axes.text(cell.x, cell.y, text, ha="center", va="center", size=size, color=ink)
    _settings(axes, cells)
    return image


def _with_interval(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without gaps that have too few subjects for an interval; they are not drawn."""
    return table.assign(drop_gap=table["drop_gap"].where(table["drop_gap_low"].notna()))


def _gap_map(axes: Axes, cells: pd.DataFrame, norm: Normalize, model: str, test: str) -> Any:
    """Draw the gap at every point, with a mark where its interval excludes zero."""
    excludes = (cells["drop_gap_low"] > 0) | (cells["drop_gap_high"] < 0)
    axes.set_title(f"{model}, {test}:\ngap beyond the control", pad=14)
    return _panel(axes, cells, "drop_gap", norm, "PuOr", np.where(excludes, MARK, "").tolist())


def _coverage_map(axes: Axes, cells: pd.DataFrame, norm: Normalize, model: str, test: str) -> Any:
    """Draw the share of degenerate facts at every point, with their number."""
    counts = ", ".join(map(str, cells["facts"].unique()))
    axes.set_title(f"{model}, {test}:\ndegenerate facts among {counts}", pad=14)
    return _panel(axes, cells, "coverage", norm, "cividis", cells["degenerate"].astype(str).tolist())


def _grid(models: int, tests: int) -> tuple[Figure, list[list[Axes]], list[list[Axes]]]:
    """Return a figure, and its axes of gaps and of coverage; each a row per test with an axes per model."""
    if models == 1:
        figure, grid = panels(tests, 2, height=2.9)
        return figure, [row[:1] for row in grid], [row[1:] for row in grid]
    figure, grid = panels(2 * tests, models, height=2.9)
    return figure, grid[:tests], grid[tests:]


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column per model and a row per functional test: the gaps above, coverage below.

    For a single model coverage stands beside the gaps.

    Args:
        table: the grid points of all models, as ``grid_table`` returns them.
    """
    table = _with_interval(table)
    models, tests = (list(dict.fromkeys(table[name].dropna())) for name in ("model", "test"))
    if not models:
        figure, [[axes]] = panels(1, 1)
        say_nothing_to_draw(axes, "no fact to measure degeneracy on")
        return figure
    figure, gaps, shares = _grid(len(models), len(tests))
    largest = float(np.nanmax(np.abs(table["drop_gap"].to_numpy()), initial=0)) or 1
    norms = CenteredNorm(halfrange=100 * largest), Normalize(0, 100)
    for column, model in enumerate(models):
        for test, above, below in zip(tests, gaps, shares, strict=True):
            with_test = (table["test"] == test) | table["test"].isna()
            cells = _cells(table[(table["model"] == model) & with_test])
            gap = _gap_map(above[column], cells, norms[0], model, test)
            share = _coverage_map(below[column], cells, norms[1], model, test)
    bar: dict[str, Any] = {"fraction": 0.05, "aspect": 25 * len(tests)}
    figure.colorbar(gap, ax=list(chain(*gaps)), label="gap beyond the control (% of Prob)", **bar)
    figure.colorbar(share, ax=list(chain(*shares)), label="coverage (% of sampled facts)", **bar)
    _legend(figure)
    figure.suptitle(
        "Full minus partial drop in Prob of a fact's components,\nminus the same for random groups of the same sizes"
    )
    return figure


def _legend(figure: Figure) -> None:
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "color": "black", "markersize": 4}
    handles = [
        Line2D([], [], label="interval excludes 0 (not adjusted for the number of cells)", **dot),
        Patch(fill=False, edgecolor="black", linewidth=2, label="the study's own settings"),
        Patch(
            facecolor="white", edgecolor="0.7", hatch=HATCH, label=f"fewer than {MIN_SUBJECTS} subjects: no interval"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)


def caption(frame: pd.DataFrame) -> str:
    """Return the caption's numbers: at how many points the gap's interval excludes zero, and the study's own gap.

    Args:
        frame: the grid points of all models, as ``grid_table`` returns them.
    """
    lines = []
    for (model, test), rows in frame[frame["selection"] == "bdc"].groupby(["model", "test"], sort=False):
        above, below = (rows["drop_gap_low"] > 0).sum(), (rows["drop_gap_high"] < 0).sum()
        line = (
            f"{model}, {test}: the interval lies above zero at {above} of {len(rows)} points, and below zero at {below}"
        )
        for point in rows[rows["own_settings"]].itertuples(index=False):
            gap = interval(point.drop_gap, point.drop_gap_low, point.drop_gap_high, "drop", difference=True)
            line += f"; at the study's own settings the gap is {gap}, n = {point.degenerate} of {point.facts} facts"
        lines.append(line)
    return bullets(lines)


def main(
    table: Annotated[Path, Option(help="sensitivity.csv")],
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored table ``sensitivity``."""
    frame = pd.read_csv(io.StringIO(read_checked(table)))
    save(draw(frame), frame, output, caption(frame))
