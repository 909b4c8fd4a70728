"""Figure ``sharing``: whether a fact's components take part in other facts, beside random neurons.

The upper panels have the share of other facts in which a neuron of a component is a knowledge neuron, the lower ones
what suppressing the component costs its own fact and others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, LOOKS, error_bars, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.storage.files import read_json
from dkn.study.names import (
    ASKED_FACTS,
    BDC,
    ELSEWHERE,
    KINDS_OF_FACTS,
    KN_MATCHED,
    OF_RELATION,
    OWN,
    RANDOM,
    SHARING_WORDS,
)
from dkn.summaries.sharing import KINDS
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, interval, sized


@dataclass(frozen=True)
class Measure:
    """What a row of panels shows.

    Attributes:
        metric: the metric of the summaries.
        label: the label of its axis.
        kinds: the kinds of facts, with words for them.
    """

    metric: str
    label: str
    kinds: Mapping[str, str]


MEASURES = (
    Measure("share", "other facts in which\na neuron of the set is a KN (%)", KINDS_OF_FACTS),
    Measure("drop", "mean drop in Prob\nwhen the set is suppressed (%)", ASKED_FACTS),
)
SETS = (BDC, KN_MATCHED, RANDOM)
COLUMNS = ["model", "neuron_set", "others", "metric", "mean", "low", "high", "facts", "subjects"]
NOTHING = "no fact with two or more BDCs"


def table(summaries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows: one row per model, group of neurons, kind of facts and metric.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    shown = [measure.metric for measure in MEASURES]
    rows = [{"model": summary["model"], **row} for summary in summaries for row in summary["estimates"]]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame[frame["metric"].isin(shown)].reset_index(drop=True)


def _panel(axes: Axes, frame: pd.DataFrame, kinds: Mapping[str, str]) -> None:
    """Draw every group's means, a line per kind of facts; n stands at the right."""
    axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    for index, name in enumerate(SETS):
        rows = frame[frame["neuron_set"] == name].set_index("others").reindex(list(kinds)).dropna(subset="mean")
        y = np.array([list(kinds).index(others) for others in rows.index]) + 0.22 * (index - 1)
        mean, spread = error_bars(rows, 100)
        axes.errorbar(mean, y, xerr=spread, linestyle="", capsize=1.5, linewidth=1, markersize=3.4, **LOOKS[name].line)
    facts = frame[frame["neuron_set"] == BDC].set_index("others")["facts"]
    for place, others in enumerate(kinds):
        count = f"n = {facts.get(others, 0)}"
        axes.text(1.0, place, count, transform=axes.get_yaxis_transform(), size=6.5, color=GREY, va="center")
    axes.set_yticks(range(len(kinds)), list(kinds.values()))
    axes.set_ylim(len(kinds) - 0.5, -0.5)


def draw(summaries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a column per model: shared neurons above, suppression below.

    For a single model the two panels stand side by side.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    frame = table(summaries)
    alone = len(summaries) == 1
    figure, grid = panels(1 if alone else 2, 2 if alone else len(summaries), height=2.9)
    for row, measure in enumerate(MEASURES):
        for column, summary in enumerate(summaries):
            axes = grid[column][row] if alone else grid[row][column]
            chosen = frame[(frame["model"] == summary["model"]) & (frame["metric"] == measure.metric)]
            if chosen.empty:
                say_nothing_to_draw(axes, NOTHING)
            else:
                _panel(axes, chosen, measure.kinds)
            if column and not alone:
                axes.tick_params(axis="y", labelleft=False)
            axes.set_xlabel(measure.label)
            axes.set_title("{model}: {bdcs} BDCs of {degenerate} facts".format(**summary, **summary["counts"]))
    handles = [
        Line2D([], [], linestyle="", markersize=4, label=SHARING_WORDS[name], **LOOKS[name].line) for name in SETS
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    lines = "Do a fact's components take part in other facts?", f"(mean over facts, {intervals_of(summaries)})"
    figure.suptitle("\n".join(fitted(line, 2 if alone else len(summaries)) for line in lines))
    return figure


def _stated() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the contrasts that decide between degenerate and redundant: their words, and the values that pick them."""
    for others in (OF_RELATION, ELSEWHERE):
        for name in (KN_MATCHED, RANDOM):
            words = f"share of facts with a neuron, {KINDS_OF_FACTS[others]}: {_minus(BDC, name, SHARING_WORDS)}"
            yield words, {"first": BDC, "second": name, "others": others, "metric": "share"}
    for others in dict.fromkeys((OWN, *(first for first, _ in KINDS))):
        words = f"drop in Prob, {ASKED_FACTS[others]}: {_minus(BDC, RANDOM, SHARING_WORDS)}"
        yield words, {"first": BDC, "second": RANDOM, "others": others, "metric": "drop"}
    for first, second in KINDS:
        words = f"drop in Prob under {SHARING_WORDS[BDC]}: {_minus(first, second, ASKED_FACTS)}"
        yield words, {"first": first, "second": second, "metric": "drop"}


def _minus(first: str, second: str, words: Mapping[str, str]) -> str:
    return f"{words[first]} minus {words[second]}"


def caption(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers as a reStructuredText list: the contrasts of components.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    lines = []
    for summary in summaries:
        model = summary["model"]
        found = [(words, row) for words, where in _stated() for row in matching(summary["contrasts"], where)]
        for words, row in found:
            number = interval(row["difference"], row["low"], row["high"], row["metric"], difference=True)
            lines.append(f"{model}, {words}: {number}, {sized(row)}")
        if not found:
            lines.append(f"{model}: {NOTHING}, n = 0 facts")
    return bullets(lines)


def main(summary: flags.Summaries, output: flags.Pdf) -> None:
    """Draw the figure from the stored summaries."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, caption(summaries))
