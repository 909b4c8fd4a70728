"""Figure ``ablation``: the share of Prob that is left against the number of neurons suppressed, and kept.

There is a curve for each order of the model's neurons. A star marks the facts' own knowledge neurons, which are the
first ones of the order by attribution. Behind a dotted line few neurons have a stored score, and that order is random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, LOOKS, error_bars, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.storage.files import read_json
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED, WORDS
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, contrast, interval, sized

ORDERS = (ATTRIBUTION, MAGNITUDE, RANDOM_ORDER)
ROWS = {SUPPRESSED: ("left", "neurons suppressed"), KEPT: ("alone", "neurons kept, all others suppressed")}
KNS = "knowledge neurons"
LINE: dict[str, Any] = {"color": GREY, "linewidth": 1, "linestyle": ":", "zorder": 0}
COLUMNS = ["model", "order", "intervention", "neurons", "point", "mean", "low", "high", "facts", "subjects"]
NOTHING = "no fact with knowledge neurons"


def table(summaries: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows: one row per model, order, intervention and number of neurons.

    The column ``point`` is ``step``, or ``knowledge neurons`` for as many neurons as each fact has of these, where
    ``neurons`` is the mean number.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    rows = []
    for summary in summaries:
        about = {"model": summary["model"]}
        rows += [{**about, "point": "step", **row} for row in summary["curves"]]
        for intervention, (metric, _) in ROWS.items():
            for row in summary["estimates"]:
                if row["metric"] == metric and row["order"] in ORDERS:
                    place = {"intervention": intervention, "neurons": summary["counts"]["mean_kns"], "point": KNS}
                    rows.append({**about, **row, **place})
    return pd.DataFrame(rows, columns=COLUMNS)


def _panel(axes: Axes, frame: pd.DataFrame, scored: float) -> None:
    """Draw the curve of every order, and what is left at the facts' own numbers of knowledge neurons.

    Args:
        frame: the rows of the panel, as ``table`` returns them.
        scored: the mean number of a fact's neurons with a stored score, at which a line is drawn.
    """
    axes.axvline(scored, **LINE)
    for order in ORDERS:
        rows = frame[(frame["order"] == order) & (frame["point"] == "step")].sort_values("neurons")
        mean, spread = error_bars(rows, 100)
        axes.errorbar(rows["neurons"], mean, yerr=spread, **LOOKS[order].line, markersize=3.5, linewidth=1.1, capsize=2)
    own = frame[(frame["order"] == ATTRIBUTION) & (frame["point"] == KNS)]
    mean, spread = error_bars(own, 100)
    axes.errorbar(own["neurons"], mean, yerr=spread, color="black", marker="*", markersize=9, capsize=2, zorder=5)
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.set_xlim(left=-0.2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params("x", labelrotation=60)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))


def _legend(figure: Figure) -> None:
    handles = [Line2D([], [], **LOOKS[order].line, markersize=4, label=WORDS[order]) for order in ORDERS]
    star = Line2D([], [], color="black", marker="*", markersize=9, linestyle="", label=f"each fact's {KNS}")
    line = Line2D([], [], **LINE, label="behind it few scores are stored")
    figure.legend(handles=[*handles, star, line], loc="outside lower center", ncols=3)


def draw(summaries: Sequence[dict[str, Any]]) -> Figure:
    """Draw a column per model: the first neurons of each order suppressed above, and kept below.

    For a single model the two panels stand side by side.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    frame = table(summaries)
    alone = len(summaries) == 1
    figure, grid = panels(1 if alone else len(ROWS), 2 if alone else len(summaries), height=2.7)
    for row, (intervention, (_, label)) in enumerate(ROWS.items()):
        for column, summary in enumerate(summaries):
            axes = grid[column][row] if alone else grid[row][column]
            chosen = frame[(frame["model"] == summary["model"]) & (frame["intervention"] == intervention)]
            if chosen.empty:
                say_nothing_to_draw(axes, NOTHING)
                axes.set_title(summary["model"])
                continue
            counts = summary["counts"]
            _panel(axes, chosen, counts["mean_scored"])
            axes.set_title(f"{summary['model']}, n = {counts['facts']:,} facts\n{counts['neurons']:,} neurons")
            axes.set_xlabel(label)
            axes.set_ylabel("Prob left (%)" if column == 0 and not (alone and row) else "")
    _legend(figure)
    lines = (
        "What is left of a fact without the first neurons, and with them alone",
        f"(mean over facts, {intervals_of(summaries)})",
    )
    figure.suptitle("\n".join(fitted(line, 2 if alone else len(summaries)) for line in lines))
    return figure


def _numbers(summary: dict[str, Any]) -> Iterator[str]:
    """Yield what a caption says of one model."""
    model, counts = summary["model"], summary["counts"]
    if not summary["estimates"]:
        yield f"{model}: {NOTHING}, n = 0 facts"
        return
    yield (
        f"{model}: {counts['neurons']:,} neurons; on average a fact has {counts['mean_kns']:.3g} knowledge neurons and "
        f"{counts['mean_scored']:.3g} neurons with a stored score, behind which the order by attribution is random"
    )
    said = {
        (ATTRIBUTION, "left"): "Prob left with all of a fact's knowledge neurons suppressed",
        (ATTRIBUTION, "drop"): "share of Prob that they hold",
        (RANDOM_ORDER, "left"): "Prob left with as many random neurons of the same layers suppressed",
        ("all", "left"): "Prob left with all neurons of the model suppressed",
        (ATTRIBUTION, "alone"): "Prob left with only the fact's knowledge neurons active",
        **{(order, "comprehensiveness"): f"comprehensiveness {WORDS[order]}" for order in ORDERS},
        **{(order, "sufficiency"): f"sufficiency {WORDS[order]}" for order in ORDERS},
    }
    for (order, metric), words in said.items():
        for row in matching(summary["estimates"], {"order": order, "metric": metric}):
            yield f"{model}, {words}: {interval(row['mean'], row['low'], row['high'], metric)}, {sized(row)}"
    for row in summary["contrasts"]:
        yield f"{model}, {contrast({**row, 'experiment': summary['experiment']})}"


def caption(summaries: Sequence[dict[str, Any]]) -> str:
    """Return the caption's numbers: what the knowledge neurons hold, both areas of every order, and the contrasts.

    Args:
        summaries: the summaries of the experiment in each model.
    """
    return bullets(line for summary in summaries for line in _numbers(summary))


def main(summary: flags.Summaries, output: flags.Pdf) -> None:
    """Draw the figure from the stored summaries of the experiment."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, caption(summaries))
