"""Figure ``degeneracy``: drop in Prob against the number of suppressed components.

There is a curve for each number of components that a fact has, and one for its control beside it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, PALE, error_bars, intervals_of, numbered, panels, say_nothing_to_draw
from dkn.paper.headlines import of_experiments
from dkn.storage.files import read_json
from dkn.study.names import CONTROL, GROUP_WORDS, SELECTIONS, TESTED_CONTROLS

SHOWN = (
    2,
    3,
    4,
    5,
)  # numbers of components that are drawn; a panel says how many facts have more, which are in the CSV


def table(summaries: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the curves of all models in one table, those of facts with more components than ``SHOWN`` included.

    Args:
        summaries: the summaries of NTC's degeneracy experiment in each model.
    """
    columns = [
        "model",
        "selection",
        "grouping",
        "components",
        "suppressed_components",
        "mean",
        "low",
        "high",
        "facts",
        "subjects",
    ]
    rows = [{"model": summary["model"], **row} for summary in summaries for row in summary["curves"]]
    frame = pd.DataFrame(rows, columns=[*columns, "metric"])
    shown = (frame["metric"] == "drop") & ~frame["grouping"].isin(TESTED_CONTROLS)
    return frame.loc[shown, columns].reset_index(drop=True)


def _curve(axes: Axes, frame: pd.DataFrame, shift: float, **style: Any) -> None:
    """Draw one curve with its intervals; a point with too few subjects for an interval has none."""
    frame = frame.sort_values("suppressed_components")
    mean, spread = error_bars(frame, 100)
    if frame["low"].isna().all():
        style["alpha"] = PALE
    axes.errorbar(frame["suppressed_components"] + shift, mean, yerr=spread, capsize=2, markersize=4, **style)


def _panel(axes: Axes, frame: pd.DataFrame) -> None:
    for index, components in enumerate(SHOWN):
        curves = frame[frame["components"] == components]
        if curves.empty:
            continue
        look, shift = numbered(index).line, 0.06 * (index - 1.5)
        method = curves[curves["grouping"] != CONTROL]
        _curve(axes, method, shift, **look, linewidth=1.4)
        _curve(
            axes,
            curves[curves["grouping"] == CONTROL],
            shift + 0.03,
            **look,
            markerfacecolor="white",
            linestyle=":",
            linewidth=1,
            alpha=0.7,
        )
    axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.set_xlim(0.7, max(SHOWN) + 0.3)
    axes.set_xticks(range(1, max(SHOWN) + 1))
    _counts(axes, frame)


def _facts(frame: pd.DataFrame) -> pd.Series:
    """Return how many facts have each number of components, by that number."""
    method = frame[(frame["grouping"] != CONTROL) & (frame["suppressed_components"] == frame["components"])]
    return method.set_index("components")["facts"].sort_index()


def _counts(axes: Axes, frame: pd.DataFrame) -> None:
    """Write beside a panel how many facts each curve is of, and how many facts have more components than are drawn."""
    facts = _facts(frame)
    lines = {number: f"n = {facts[number]}" for number in SHOWN if number in facts}
    handles = [Line2D([], [], **numbered(SHOWN.index(n)).line, markersize=4) for n in lines]
    more = facts[facts.index > max(SHOWN)]
    if len(more):
        handles.append(Line2D([], [], linestyle=""))
        lines[int(more.index.max())] = f"not drawn:\n{more.sum()} facts with\n{_range(more)} (CSV)"
    axes.legend(handles, list(lines.values()), loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1, fontsize=7)


def _range(more: pd.Series) -> str:
    first, last = int(more.index.min()), int(more.index.max())
    return f"{first} to {last}" if first < last else f"{first}"


def _legend(figure: Figure, pale: bool) -> None:
    handles = [
        Line2D([], [], **numbered(place).line, markersize=4, label=f"facts with {components} components")
        for place, components in enumerate(SHOWN)
    ]
    control: dict[str, Any] = {"linestyle": ":", "marker": "o", "markersize": 4, "markerfacecolor": "white"}
    handles.append(Line2D([], [], color=GREY, label=f"control: {GROUP_WORDS[CONTROL]}", **control))
    if pale:
        handles.append(
            Line2D([], [], color=GREY, alpha=PALE, marker="o", label="pale: too few subjects for an interval")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def draw(summaries: list[dict[str, Any]]) -> Figure:
    """Draw a column per model: base degenerate components above, all components that NTC finds below.

    For a single model the two panels stand side by side.

    Args:
        summaries: the summaries of NTC's degeneracy experiment in each model.
    """
    frame = table(summaries)
    alone = len(summaries) == 1
    figure, grid = panels(1 if alone else len(SELECTIONS), 2 if alone else len(summaries), height=3.1)
    for row, (selection, title) in enumerate(SELECTIONS.items()):
        for column, summary in enumerate(summaries):
            axes = grid[column][row] if alone else grid[row][column]
            chosen = frame[(frame["model"] == summary["model"]) & (frame["selection"] == selection)]
            if chosen.empty:
                say_nothing_to_draw(axes, "no fact with two or more components")
            else:
                _panel(axes, chosen)
            funnel = summary["funnel"]
            count = funnel["degenerate" if selection == "bdc" else "with_two_candidates"]
            axes.set_title(f"{summary['model']}: {count} of {funnel['known']} known facts\nhave ≥ 2 {title}")
            axes.set_ylabel("mean drop in Prob (%)" if column == 0 and not (alone and row) else "")
            axes.set_xlabel("components suppressed together")
    missing = frame["low"].isna().groupby([frame[name] for name in ("model", "selection", "components")]).all()
    _legend(figure, pale=bool(missing.any()))
    figure.suptitle(f"Suppressing some or all of a fact's components\n(mean over facts, {intervals_of(summaries)})")
    return figure


def main(
    summary: flags.Summaries,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored summaries of NTC's degeneracy experiment."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, of_experiments(summaries))
