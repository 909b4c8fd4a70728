"""What the figures ``suppression`` and ``enhancement`` have in common: neuron sets on a query and on perturbed ones.

There is a panel per model, intervention and measure. It shows the neuron sets side by side on the original query (Q),
on the perturbed queries (Q*: their mean over all facts with a DKN and over the degenerate ones, and each kind), and the
excess of Q* over Q, which is the measure of robustness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn.figures.saving import save
from dkn.figures.style import LOOKS, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.paper.headlines import of_experiments
from dkn.storage.files import read_json
from dkn.study.names import (
    DEGENERATE,
    DKN,
    FULL_WORDS,
    INTERACTION,
    KN,
    NONE,
    ORIGINAL,
    OTHER_FACT,
    OTHER_RELATION,
    PERTURBATIONS,
    PERTURBED,
    WITH_DKN,
    WORDS,
)
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, interval, sized


@dataclass(frozen=True)
class Setting:
    """How a setting is drawn.

    Attributes:
        title: the title of the figure.
        verb: the participle that says what the interventions do to neurons.
        measures: for each metric a factor and the label of its axis; every metric has a row of panels per intervention.
        level: the metric that is stated without intervention, and its name.
        specificity: the query and the metric by which the caption compares D with the D of other facts.
    """

    title: str
    verb: str
    measures: dict[str, tuple[float, str]]
    level: tuple[str, str]
    specificity: tuple[str, str]


# What stands side by side in a panel, and its label of two lines: the queries, and the facts that are asked them.
PLACES = {
    (WITH_DKN, ORIGINAL): "Q\n",
    (WITH_DKN, PERTURBED): "Q*\nmean",
    (DEGENERATE, PERTURBED): "Q* mean,\n≥ 2 BDCs",
    **{(WITH_DKN, name): f"Q*\n{name}" for name in PERTURBATIONS},
    (WITH_DKN, INTERACTION): "Q* − Q\n",
}
BORDERS = (0.5, 2.5, len(PLACES) - 1.5)  # lines between the query, means, kinds, and the excess
KEYS = ["model", "site", "population", "neuron_set", "mean_neurons", "query", "metric"]
COLUMNS = ["mean", "low", "high", "facts", "subjects"]


def table(summaries: Sequence[dict[str, Any]], setting: Setting) -> pd.DataFrame:
    """Return what the figure shows: one row per model, site, population, neuron set, query and metric.

    The rows of the empty neuron set ``none`` hold the level without intervention.

    Args:
        summaries: the summaries of one setting's experiments, in all models.
        setting: how the setting is drawn.
    """
    rows = []
    for summary in summaries:
        site = summary["experiment"].split("-")[1]
        measures, level = tuple(setting.measures), setting.level[:1]
        sizes = summary["counts"]["mean_neurons"]
        for row in summary["estimates"]:
            if row["metric"] in (level if row["neuron_set"] == NONE else measures):
                rows.append({"model": summary["model"], "site": site, "mean_neurons": sizes[row["neuron_set"]], **row})
    return pd.DataFrame(rows, columns=[*KEYS, *COLUMNS])


def _points(axes: Axes, rows: pd.DataFrame, factor: float) -> None:
    """Draw every set's means at every place, side by side; a mean without interval is an open sign."""
    for index, name in enumerate(FULL_WORDS):
        means = rows[rows["neuron_set"] == name].set_index(["population", "query"]).reindex(list(PLACES))
        mean = factor * means["mean"].to_numpy(dtype=float)
        spread = np.abs(factor * means[["low", "high"]].to_numpy(dtype=float).T - mean)
        x = np.arange(len(PLACES)) + 0.13 * (index - (len(FULL_WORDS) - 1) / 2)
        style: dict[str, Any] = {**LOOKS[name].line, "markersize": 2.8}
        bare = np.isnan(spread).any(axis=0)
        axes.errorbar(x[~bare], mean[~bare], yerr=spread[:, ~bare], linestyle="", capsize=1.5, linewidth=1, **style)
        axes.plot(x[bare], mean[bare], linestyle="", markerfacecolor="white", **style)


def _ticks(axes: Axes, rows: pd.DataFrame, levels: pd.DataFrame) -> None:
    """Label each place with its name, its number of facts with a DKN, and the level without intervention."""
    keys = ["population", "query"]
    facts = rows[rows["neuron_set"] == DKN].set_index(keys)["facts"]
    before = levels.set_index(keys)["mean"]
    labels = []
    for place, label in PLACES.items():
        known = f"{100 * before[place]:.0f} %" if place in before and place[1] != INTERACTION else ""
        labels.append(f"{label}\n{facts.get(place, 0)}\n{known}")
    axes.set_xticks(range(len(PLACES)), labels)
    axes.tick_params(axis="x", length=0, labelsize=6)
    axes.set_xlim(-0.5, len(PLACES) - 0.5)


def _panel(axes: Axes, rows: pd.DataFrame, levels: pd.DataFrame, setting: Setting, metric: str) -> None:
    factor, label = setting.measures[metric]
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    for x in BORDERS:
        axes.axvline(x, color="0.85", linewidth=0.8, zorder=0)
    _points(axes, rows, factor)
    _ticks(axes, rows, levels)
    axes.set_ylabel(label)
    axes.set_xlabel(f"query; n (facts); {setting.level[1]} without intervention", size=7.5)


def _title(summary: dict[str, Any], site: str, verb: str) -> str:
    """Return the title of a panel: the model, the intervention, and how large the neuron sets are."""
    means = summary["counts"]["mean_neurons"]
    sizes = [f"{letter} {means[name]:.0f}" for letter, name in (("D", DKN), ("N", KN)) if name in means]
    return f"{summary['model']}, {site} {verb}\nneurons{': ' + ', '.join(sizes) + ' on average' if sizes else ''}"


def _legend(figure: Figure, frame: pd.DataFrame, columns: int) -> None:
    handles = [
        Line2D([], [], linestyle="", label=label, **LOOKS[name].line, markersize=3.5)
        for name, label in FULL_WORDS.items()
    ]
    handles.append(Line2D([], [], color="0.6", linewidth=0.8, label="no neurons: zero"))
    if frame["low"].isna().any():
        style: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4, "markerfacecolor": "white"}
        handles.append(Line2D([], [], color="0.2", label="open sign: too few subjects for an interval", **style))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(columns, 2))


def draw(summaries: Sequence[dict[str, Any]], setting: Setting) -> Figure:
    """Draw a column per model: the first measure of every intervention, then the second, each on one scale.

    For a single model the interventions stand side by side.

    Args:
        summaries: the summaries of one setting's experiments, in all models.
        setting: how the setting is drawn.
    """
    frame = table(summaries, setting)
    models = list(dict.fromkeys(summary["model"] for summary in summaries))
    sites = list(dict.fromkeys(summary["experiment"].split("-")[1] for summary in summaries))
    summary_of = {(summary["model"], summary["experiment"].split("-")[1]): summary for summary in summaries}
    alone = len(models) == 1
    rows, columns = (len(setting.measures), len(sites)) if alone else (len(setting.measures) * len(sites), len(models))
    figure, grid = panels(rows, columns, height=2.7)
    for number, metric in enumerate(setting.measures):
        for row, site in enumerate(sites):
            for column, model in enumerate(models):
                axes = grid[number][row] if alone else grid[number * len(sites) + row][column]
                if row:
                    axes.sharey(grid[number][0] if alone else grid[number * len(sites)][column])
                of_panel = frame[(frame["model"] == model) & (frame["site"] == site)]
                chosen = of_panel[of_panel["metric"] == metric]
                if chosen.empty:
                    asked = summary_of[model, site]["counts"]["with_dkn"]
                    say_nothing_to_draw(axes, "no record that counts" if asked else "no fact with a DKN")
                else:
                    _panel(axes, chosen, of_panel[of_panel["neuron_set"] == NONE], setting, metric)
                axes.set_title(_title(summary_of[model, site], site, setting.verb))
    _legend(figure, frame, columns)
    lines = setting.title, f"(mean over facts, {intervals_of(summaries)})"
    figure.suptitle("\n".join(fitted(line, columns) for line in lines))
    return figure


def _specificity(summary: Mapping[str, Any], query: str, metric: str) -> Iterator[str]:
    """Yield what a fact's own D does, and what the D of other facts does."""
    counts = summary["counts"]
    about = f"{summary['model']}, {summary['experiment']}, {metric}, {query} query"
    for name in (DKN, OTHER_FACT, OTHER_RELATION):
        where = {"population": WITH_DKN, "neuron_set": name, "query": query, "metric": metric}
        for row in matching(summary["estimates"], where):
            text = f"{about}: {WORDS[name]}: {interval(row['mean'], row['low'], row['high'], metric)}, {sized(row)}"
            if name != DKN:
                text += f"; {100 * counts['share_of_own'][name]:.2g} % of these neurons are in the fact's own D"
            yield text


def caption(summaries: Sequence[Mapping[str, Any]], setting: Setting) -> str:
    """Return the caption's numbers: the main ones of every experiment, and how specific to a fact its DKN is."""
    specific = [line for summary in summaries for line in _specificity(summary, *setting.specificity)]
    return of_experiments(summaries) + (bullets(specific) if specific else "")


def make(summary: Sequence[Path], setting: Setting, pdf: Path) -> None:
    """Draw and write a setting's figure.

    Args:
        summary: the paths of the stored summaries of the setting's experiments, in all models.
        setting: how the setting is drawn.
        pdf: the PDF to write; its other files are written beside it.
    """
    summaries = [read_json(path) for path in summary]
    save(draw(summaries, setting), table(summaries, setting), pdf, caption(summaries, setting))
