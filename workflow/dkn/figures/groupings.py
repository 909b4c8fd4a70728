"""Figure ``groupings``: how far the components of each grouping stand in for each other, compared with random groups.

The upper panels have the drop in Prob when some and when all of a fact's components are suppressed; each grouping
stands beside its control, which consists of random groups of the same sizes. The lower panels have the drop against the
number of suppressed neurons, whichever components they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, GREY, MARKERS, error_bars, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.storage.files import read_json
from dkn.study.names import CONTROL, GROUP_WORDS, NTC, TESTED_CONTROL
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, interval, sized

ROWS = {"bdc": "components that pass the functional test", "candidate": "all components, before the test"}
COLUMNS = ["mean", "low", "high", "facts", "subjects"]
FEWEST_FACTS = 10  # a bin with fewer facts is in the CSV only


def table(summaries: list[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows, and more: one row per model, experiment, selection, grouping and kind or bin.

    The column ``experiment`` is the method, and ``grouping`` is the method or one of its controls. The experiment of
    NTC holds the tested control too.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    rows = []
    for summary in summaries:
        where = {"model": summary["model"], "experiment": summary["grouping"]}
        rows += [{**where, **row} for row in summary["estimates"]]
        rows += [{**where, "kind": "by_neurons", **row} for row in summary["by_neurons"]]
    keys = ["model", "experiment", "selection", "grouping", "kind", "most_neurons", "mean_neurons"]
    frame = pd.DataFrame(rows, columns=[*keys, *COLUMNS, "metric"])
    shown = (frame["metric"] == "drop") & (frame["experiment"] != TESTED_CONTROL)
    return frame.loc[shown, [*keys, *COLUMNS]].reset_index(drop=True)


def _lines(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return label, grouping and rows of each line from top to bottom: each method, followed by its controls."""
    lines = []
    for experiment in frame["experiment"].unique():
        of_experiment = frame[frame["experiment"] == experiment]
        for grouping, label in ((experiment, experiment), (CONTROL, "same sizes"), (TESTED_CONTROL, "tested random")):
            rows = of_experiment[of_experiment["grouping"] == grouping].set_index("kind")
            if len(rows):
                lines.append((label, grouping, rows))
    return lines


def _drops(axes: Axes, frame: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw the partial drop (open sign) and the full drop (filled sign) of every grouping, joined by a line."""
    lines = _lines(frame)
    for level, (_, grouping, rows) in enumerate(lines):
        control = grouping in (CONTROL, TESTED_CONTROL)
        colour = GREY if control else colours[grouping]
        mean, spread = error_bars(rows.loc[["partial", "full"]], 100)
        axes.plot(mean, [level, level], color=colour, linewidth=1, linestyle=":" if control else "-", zorder=1)
        for index, face in enumerate(("white", colour)):
            axes.errorbar(
                mean[index],
                level,
                xerr=spread[:, [index]],
                color=colour,
                marker="D" if grouping == TESTED_CONTROL else "s" if control else "o",
                markersize=4,
                markerfacecolor=face,
                capsize=2,
                linewidth=1,
            )
        axes.annotate(
            f"n = {rows['facts'].iloc[0]}",
            (1.0, level),
            xycoords=("axes fraction", "data"),
            size=6.5,
            va="center",
            ha="left",
            color=colour,
        )
    axes.set_yticks(range(len(lines)), [label for label, _, _ in lines])
    for tick, (_, grouping, _) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_color(colours.get(grouping, GREY))
        tick.set_fontsize(7)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.set_xlabel("mean drop in Prob (%)")


def _markers(count: int) -> list[str]:
    """One marker per grouping, so that groupings whose colours are the same have different markers."""
    return [MARKERS[(index + index // len(COLOURS)) % len(MARKERS)] for index in range(count)]


def _by_neurons(axes: Axes, frame: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw the mean drop against the mean number of suppressed neurons in bins that double, with NTC's control."""
    frame = frame[frame["facts"] >= FEWEST_FACTS]
    for (grouping, colour), marker in zip(colours.items(), _markers(len(colours)), strict=True):
        rows = frame[frame["grouping"] == grouping].sort_values("most_neurons")
        mean, spread = error_bars(rows, 100)
        axes.errorbar(
            rows["mean_neurons"], mean, yerr=spread, color=colour, marker=marker, markersize=3.5, linewidth=1.1
        )
    control = frame[(frame["experiment"] == NTC) & (frame["grouping"] == CONTROL)].sort_values("most_neurons")
    mean, spread = error_bars(control, 100)
    axes.errorbar(
        control["mean_neurons"], mean, yerr=spread, color=GREY, marker="s", markersize=3.5, linestyle=":", linewidth=1.1
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"neurons suppressed (bins with ≥ {FEWEST_FACTS} facts)")


def _legend(figure: Figure, colours: dict[str, str]) -> None:
    drops = [
        Line2D([], [], color="0.2", marker="o", markersize=4, markerfacecolor="white", label="some (proper subsets)"),
        Line2D([], [], color="0.2", marker="o", markersize=4, label="all components"),
        Line2D([], [], color=GREY, marker="s", markersize=4, linestyle=":", label=GROUP_WORDS[CONTROL]),
        Line2D([], [], color=GREY, marker="D", markersize=4, linestyle=":", label=GROUP_WORDS[TESTED_CONTROL]),
    ]
    methods = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=grouping)
        for (grouping, colour), marker in zip(colours.items(), _markers(len(colours)), strict=True)
    ]
    figure.legend(handles=[*drops, *methods], loc="outside lower center", ncols=3)


def draw(summaries: list[dict[str, Any]]) -> Figure:
    """Draw a column per model: components that passed the test, all components, and the drop by number of neurons.

    The drop by number of neurons is that of all components, because more facts have two of them.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    frame = table(summaries)
    models = list(dict.fromkeys(summary["model"] for summary in summaries))
    experiments = dict.fromkeys(summary["grouping"] for summary in summaries if summary["grouping"] != TESTED_CONTROL)
    colours = dict(zip(experiments, cycle(COLOURS), strict=False))
    figure, axes = panels(len(ROWS) + 1, len(models), height=2.7)
    for column, model in enumerate(models):
        of_model = frame[frame["model"] == model]
        for row, (selection, title) in enumerate(ROWS.items()):
            chosen = of_model[(of_model["selection"] == selection) & (of_model["kind"] != "by_neurons")]
            if chosen.empty:
                say_nothing_to_draw(axes[row][column], "no fact with two or more components")
            else:
                _drops(axes[row][column], chosen, colours)
            axes[row][column].set_title(f"{model}:\n{title}")
        curves = of_model[(of_model["selection"] == "candidate") & (of_model["kind"] == "by_neurons")]
        if (curves["facts"] >= FEWEST_FACTS).any():
            _by_neurons(axes[-1][column], curves, colours)
        else:
            say_nothing_to_draw(axes[-1][column], f"no bin with ≥ {FEWEST_FACTS} facts")
        axes[-1][column].set_title(f"{model}: components before the test,\nby number of neurons")
        axes[-1][column].set_ylabel("mean drop in Prob (%)" if column == 0 else "")
    _legend(figure, colours)
    lines = (
        "Suppressing some or all components of a fact, by grouping",
        f"(mean over facts, {intervals_of(summaries)})",
    )
    figure.suptitle("\n".join(fitted(line, len(models)) for line in lines))
    return figure


def caption(summaries: Sequence[dict[str, Any]]) -> str:
    """Return the caption's numbers: full minus partial drop of each grouping's components that pass the test.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    lines = []
    for summary in sorted(summaries, key=lambda summary: str(summary["model"])):
        where = {"selection": "bdc", "metric": "drop", "kind": "gap", "grouping": summary["grouping"]}
        rows = matching(summary["estimates"], where)
        about = f"{summary['model']}, {summary['grouping']}: full minus partial drop"
        numbers = [f"{interval(row['mean'], row['low'], row['high'], 'drop')}, {sized(row)}" for row in rows]
        lines += [f"{about} {number}" for number in numbers or ["without a degenerate fact, n = 0 facts"]]
    return bullets(lines)


def main(
    summary: flags.Summaries,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored summaries of the degeneracy experiments."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, caption(summaries))
