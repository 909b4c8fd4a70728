"""Figure ``groupings``: how far the components of each grouping stand in for each other, compared with random groups.

The upper panels have the drop in Prob when some and when all of a fact's components are suppressed; each grouping
stands beside its control, which consists of random groups of the same sizes, and NTC beside the tested controls and the
degenerate knowledge neurons (D) of other facts too. Below are the drop against the number of suppressed neurons,
whichever components they belong to, and what one component alone brings back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import (
    GREY,
    INK,
    LOOKS,
    PALE,
    Look,
    error_bars,
    fitted,
    heading,
    intervals_of,
    of_groupings,
    panels,
    plain,
    say_nothing_to_draw,
)
from dkn.storage.files import read_json
from dkn.study.names import (
    BEFORE_TEST,
    CONTROL,
    CONTROLS,
    GROUP_WORDS,
    NTC,
    OTHER_FACT,
    OTHER_FACTS,
    OTHER_RELATION,
    SHUFFLED,
    TESTED_CONTROL,
    TESTED_CONTROLS,
)
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, interval, sized

ROWS = {"bdc": "components that pass the functional test", "candidate": "all components, before the test"}
COLUMNS = ["mean", "low", "high", "facts", "subjects"]
# What stands below a method, with its label.
RIVALS = {
    CONTROL: "same sizes",
    TESTED_CONTROL: "random",
    SHUFFLED: "shuffled",
    OTHER_FACT: "D of another fact",
    OTHER_RELATION: "D of another relation",
}
ANY_DRAW = ", any draw"  # a tested control counts a fact if any of its draws has two groups that passed
OF_RECOVERY = {"selection": "candidate", "kind": "recovery"}  # its rows have neither
FEWEST_FACTS = 10  # a bin with fewer facts is in the CSV only


def table(summaries: list[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows, and more: one row per model, experiment, selection, grouping and kind or bin.

    The column ``experiment`` is the method, and ``grouping`` is the method or what it is compared with. The experiment
    of NTC holds the tested controls too. The kind ``recovery`` is the share of Prob that a candidate alone brings back.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    rows = []
    for summary in summaries:
        where = {"model": summary["model"], "experiment": summary["grouping"]}
        rows += [
            {**where, **(OF_RECOVERY if row.get("measure") == "recovery" else {}), **row}
            for row in summary["estimates"]
        ]
        rows += [{**where, "kind": "by_neurons", **row} for row in summary["by_neurons"]]
    keys = ["model", "experiment", "selection", "grouping", "kind", "most_neurons", "mean_neurons"]
    frame = pd.DataFrame(rows, columns=[*keys, *COLUMNS, "metric", "measure"])
    shown = ((frame["metric"] == "drop") | (frame["measure"] == "recovery")) & ~frame["experiment"].isin(
        TESTED_CONTROLS
    )
    return frame.loc[shown, [*keys, *COLUMNS]].reset_index(drop=True)


def _lines(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return label, grouping and rows of each line from top to bottom: each method, followed by its rivals."""
    lines = []
    for experiment in frame["experiment"].unique():
        of_experiment = frame[frame["experiment"] == experiment]
        labels = {experiment: experiment, **RIVALS}
        if "full" in set(of_experiment["kind"]):
            labels |= {control: labels[control] + ANY_DRAW for control in TESTED_CONTROLS}
        for grouping, label in labels.items():
            rows = of_experiment[of_experiment["grouping"] == grouping].set_index("kind")
            if len(rows):
                lines.append((label, grouping, rows))
    return lines


def _by_grouping(axes: Axes, frame: pd.DataFrame, looks: Mapping[str, Look], kinds: Sequence[str], label: str) -> None:
    """Draw a line per grouping, with a sign for each of some kinds of numbers: open for all kinds but the last.

    Args:
        kinds: the kinds, from left to right where they rise; a grouping may lack some.
        label: what the numbers are, for the horizontal axis.
    """
    lines = _lines(frame)
    for level, (_, grouping, rows) in enumerate(lines):
        look = looks.get(grouping) or LOOKS[grouping]
        shown = [kind for kind in kinds if kind in rows.index]
        mean, spread = error_bars(rows.loc[shown], 100)
        alpha = PALE if rows.loc[shown, "low"].isna().all() else None
        axes.plot(
            mean,
            [level] * len(shown),
            color=look.colour,
            alpha=alpha,
            linewidth=1,
            linestyle="-" if grouping in looks else ":",
            zorder=1,
        )
        for index, kind in enumerate(shown):
            axes.errorbar(
                mean[index],
                level,
                xerr=spread[:, [index]],
                **look.line,
                alpha=alpha,
                markersize=4,
                markerfacecolor=look.colour if kind == kinds[-1] else "white",
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
            color=INK,
        )
    axes.set_yticks(range(len(lines)), [label for label, _, _ in lines])
    for tick, (_, grouping, _) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set(color=INK if grouping in looks else GREY, fontsize=7)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.set_xlabel(label)


def _by_neurons(axes: Axes, frame: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw the mean drop against the mean number of suppressed neurons in bins that double, with NTC's control."""
    frame = frame[frame["facts"] >= FEWEST_FACTS]
    for grouping, look in looks.items():
        rows = frame[frame["grouping"] == grouping].sort_values("most_neurons")
        mean, spread = error_bars(rows, 100)
        axes.errorbar(rows["mean_neurons"], mean, yerr=spread, **look.line, markersize=3.5, linewidth=1.1)
    control = frame[(frame["experiment"] == NTC) & (frame["grouping"] == CONTROL)].sort_values("most_neurons")
    mean, spread = error_bars(control, 100)
    axes.errorbar(
        control["mean_neurons"], mean, yerr=spread, **LOOKS[CONTROL].line, markersize=3.5, linestyle=":", linewidth=1.1
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"neurons suppressed (bins with ≥ {FEWEST_FACTS} facts)")


def _legend(figure: Figure, looks: Mapping[str, Look], pale: bool) -> None:
    drops = [
        Line2D([], [], color="0.2", marker="o", markersize=4, markerfacecolor="white", label="some (proper subsets)"),
        Line2D([], [], color="0.2", marker="o", markersize=4, label="all components"),
        *(Line2D([], [], **LOOKS[name].line, markersize=4, linestyle=":", label=GROUP_WORDS[name]) for name in RIVALS),
    ]
    methods = [Line2D([], [], **look.line, markersize=4, label=plain(grouping)) for grouping, look in looks.items()]
    if pale:
        words = "pale: too few subjects for an interval"
        methods.append(Line2D([], [], color=INK, alpha=PALE, marker="o", markersize=4, label=words))
    figure.legend(handles=[*drops, *methods], loc="outside lower center", ncols=3)


def draw(summaries: list[dict[str, Any]]) -> Figure:
    """Draw a column per model: components that passed the test, all components, and these in two further views.

    The drop by number of neurons is that of all components, because more facts have two of them. So is what a component
    alone brings back, because the test selects on it. For a single model the panels stand two by two.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    frame = table(summaries)
    models = list(dict.fromkeys(summary["model"] for summary in summaries))
    experiments = dict.fromkeys(
        summary["grouping"] for summary in summaries if summary["grouping"] not in TESTED_CONTROLS
    )
    looks = of_groupings(experiments)
    single = len(models) == 1
    figure, grid = panels(2, 2, height=3.1) if single else panels(len(ROWS) + 2, len(models), height=3.1)
    by_model = [tuple(chain(*grid))] if single else list(zip(*grid, strict=True))
    for column, (model, (*drops, by_neurons, alone)) in enumerate(zip(models, by_model, strict=True)):
        of_model = frame[frame["model"] == model]
        for panel, (selection, title) in zip(drops, ROWS.items(), strict=True):
            chosen = of_model[(of_model["selection"] == selection) & of_model["kind"].isin(["partial", "full"])]
            if chosen.empty:
                say_nothing_to_draw(panel, "no fact with two or more components")
            else:
                _by_grouping(panel, chosen, looks, ("partial", "full"), "mean drop in Prob (%)")
            panel.set_title(heading(f"{model}:", title))
        curves = of_model[(of_model["selection"] == "candidate") & (of_model["kind"] == "by_neurons")]
        if (curves["facts"] >= FEWEST_FACTS).any():
            _by_neurons(by_neurons, curves, looks)
        else:
            say_nothing_to_draw(by_neurons, f"no bin with ≥ {FEWEST_FACTS} facts")
        by_neurons.set_title(heading(f"{model}:", "before the test, by number of neurons"))
        by_neurons.set_ylabel("mean drop in Prob (%)" if column == 0 else "")
        recovered = of_model[of_model["kind"] == "recovery"]
        if recovered.empty:
            say_nothing_to_draw(alone, "no component that could bring anything back")
        else:
            _by_grouping(alone, recovered, looks, ("recovery",), "mean share of Prob brought back (%)")
        alone.set_title(heading(f"{model}:", "before the test, each component alone"))
    _legend(figure, looks, pale=bool(frame["low"].isna().any()))
    lines = (
        "Suppressing some or all components of a fact, by grouping",
        f"(mean over facts, {intervals_of(summaries)})",
    )
    figure.suptitle("\n".join(fitted(line, len(grid[0])) for line in lines))
    return figure


def caption(summaries: Sequence[dict[str, Any]]) -> str:
    """Return the caption's numbers: full minus partial drop of each grouping's components that pass the test.

    NTC's are followed by its contrasts with the tested controls and with the DKN of other facts.

    Args:
        summaries: the summaries of the degeneracy experiments of all models and groupings.
    """
    lines = []
    for summary in sorted(summaries, key=lambda summary: str(summary["model"])):
        where = {"selection": "bdc", "metric": "drop", "kind": "gap", "grouping": summary["grouping"]}
        rows = matching(summary["estimates"], where)
        about = f"{summary['model']}, {summary['grouping']}: full minus partial drop"
        numbers = [
            f"{interval(row['mean'], row['low'], row['high'], 'drop', difference=True)}, {sized(row)}" for row in rows
        ]
        lines += [f"{about} {number}" for number in numbers or ["without a degenerate fact, n = 0 facts"]]
        if summary["grouping"] == NTC:
            lines += _contrasts_in_words(summary)
    return bullets(lines)


def _contrasts_in_words(summary: Mapping[str, Any]) -> list[str]:
    """Return what the caption says of NTC's contrasts: a line per rival and measure."""
    gap, full = ({"selection": "bdc", "metric": "drop", "kind": kind} for kind in ("gap", "full"))
    recovery = {"measure": "recovery"}
    asked = [
        *((control, gap, f"full minus partial drop, NTC minus {GROUP_WORDS[control]}") for control in CONTROLS),
        *((other, full, f"full drop, NTC minus {GROUP_WORDS[other]}") for other in OTHER_FACTS),
        *((name, recovery, f"Prob brought back by one, NTC minus {words}") for name, words in BEFORE_TEST.items()),
    ]
    lines = []
    for second, where, measure in asked:
        for row in matching(summary["contrasts"], {"first": NTC, "second": second, **where}):
            number = interval(row["difference"], row["low"], row["high"], "drop", difference=True)
            lines.append(f"{summary['model']}, {measure}: {number}, {sized(row)}")
    return lines


def main(
    summary: flags.Summaries,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored summaries of the degeneracy experiments."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, caption(summaries))
