"""Figure ``fine_tuning``: what a model learns and forgets when some neurons or all are trained, and what that costs."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import GREY, INK, LOOKS, WIDTH, error_bars, intervals_of, plain, use_style
from dkn.paper.headlines import of_experiments
from dkn.storage.files import read_json
from dkn.study.names import ALL, AUGMENTED, DKN, KN, NEW, OLD, RANDOM, RANDOM_KN, SPLITS, WORDS
from dkn.summaries.wording import bullets

# The neuron sets, and how their lines are drawn.
SETS: dict[str, Any] = {DKN: "-", KN: "-", RANDOM: "--", RANDOM_KN: ":", ALL: "-"}
ASKED = {NEW: "*", AUGMENTED: "P", OLD: "X"}  # signs that no neuron set has
MEBIBYTE = 2**20
_EDGE: dict[str, Any] = {"markeredgecolor": "black", "markeredgewidth": 0.9}  # of what the development facts chose
COSTS = ("trained\nparameters", "optimiser\n(MiB)", "peak mem.\n(MiB)", "time\n(s)")
COLUMNS = ["model", "panel", "split", "neuron_set", "draw", "epoch", "mean", "low", "high", "facts", "subjects"]
CHOICE_COLUMNS = ["chosen", "inside"]  # of a rate: whether it is the best one, and whether that one is inside the range
COST_COLUMNS = ["learning_rate", "trained_parameters", "optimiser_state_bytes", "peak_memory_bytes", "training_seconds"]


def _rates(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per learning rate that was tried for a neuron set, from the report of its first run."""
    return [
        {
            "panel": "rate",
            "neuron_set": report["neuron_set"],
            "epoch": tried["epoch"],
            "mean": tried["score"],
            "learning_rate": tried["learning_rate"],
            "chosen": tried["learning_rate"] == report["learning_rate"],
            "inside": report["learning_rate_inside"],
        }
        for tried in report["tried_rates"]
    ]


def table(summaries: list[dict[str, Any]], trainings: list[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows.

    Args:
        summaries: the summaries of the fine-tuning experiments of all models.
        trainings: the contents of their training.json, in the same order.
    Returns:
        Rows of several kinds, which the column ``panel`` tells apart: accuracies over the epochs (curve), accuracies at
        the chosen epoch over all draws (chosen) and of one draw (draw), the chosen epoch and the costs of every run
        (run), the score on development facts at every learning rate that was tried (rate), and a row for every
        experiment in which nothing was trained (not run).
    """
    rows: list[dict[str, Any]] = []
    for summary, training in zip(summaries, trainings, strict=True):
        model = summary["model"]
        for panel, estimates in (("curve", summary["curves"]), ("chosen", summary["estimates"])):
            rows += [{"model": model, "panel": panel, **row} for row in estimates if row["metric"] == "accuracy"]
        rows += [{"model": model, "panel": "draw", **row, "mean": row["accuracy"]} for row in summary["draws"]]
        reports = training.get("sets", [])
        rows += [{"model": model, "panel": "run", **report} for report in reports]
        rows += [{"model": model, **row} for report in reports if report["draw"] == 0 for row in _rates(report)]
        rows += [{"model": model, "panel": "not run"}] if summary.get("not_run") else []
    return pd.DataFrame(rows, columns=[*COLUMNS, *COST_COLUMNS, *CHOICE_COLUMNS])


def _curves(axes: Axes, rows: pd.DataFrame, split: str) -> None:
    """Draw a curve per neuron set, with large signs at the epochs that were chosen for its runs."""
    curves = rows[(rows["panel"] == "curve") & (rows["split"] == split)]
    step = np.diff(np.sort(curves["epoch"].unique())).min(initial=1)
    for index, (name, dashes) in enumerate(SETS.items()):
        curve = curves[curves["neuron_set"] == name].sort_values("epoch")
        if curve.empty:
            continue
        mean, spread = error_bars(curve, 100)
        epoch = curve["epoch"].to_numpy(dtype=float) + 0.11 * step * (index - 2)
        line: dict[str, Any] = {"linestyle": dashes, "linewidth": 1.1, "elinewidth": 0.6}
        axes.errorbar(epoch, mean, yerr=spread, **LOOKS[name].line, markersize=3, **line)
        stops = rows.loc[(rows["panel"] == "run") & (rows["neuron_set"] == name), "epoch"]
        chosen = curve["epoch"].isin(stops).to_numpy()
        style: dict[str, Any] = {"markersize": 6, **LOOKS[name].line}
        axes.plot(epoch[chosen], mean[chosen], linestyle="", zorder=4, **_EDGE, **style)
    title = f"{SPLITS[split]} (n = {int(curves['facts'].max()) if len(curves) else 0})"
    axes.set_title(fill(title, 22), size=8)
    axes.set_ylim(-4, 104)
    axes.set_xlabel("epoch")
    if curves.empty:
        axes.text(0.5, 0.5, "no test question", ha="center", va="center", color=GREY, transform=axes.transAxes)


def _tried_rates(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the score on development facts against the learning rate, with a large sign at the rate that was chosen.

    The sign is hollow where no rate beyond it was tried.
    """
    tried = rows[rows["panel"] == "rate"]
    for name, dashes in SETS.items():
        scores = tried[tried["neuron_set"] == name].sort_values("learning_rate")
        line: dict[str, Any] = {"linestyle": dashes, "linewidth": 1.1, **LOOKS[name].line}
        axes.plot(scores["learning_rate"], 100 * scores["mean"], markersize=3, **line)
        best = scores[scores["chosen"].astype(bool)]
        face = LOOKS[name].colour if best["inside"].all() else "white"
        style: dict[str, Any] = {**LOOKS[name].line, "markersize": 6, "markerfacecolor": face}
        axes.plot(best["learning_rate"], 100 * best["mean"], linestyle="", zorder=4, **_EDGE, **style)
    axes.set_xscale("log")
    axes.set_title("score on\ndevelopment facts (%)", size=8)
    axes.set_xlabel("learning rate")


def _chosen(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the accuracies at the chosen epoch, a row per neuron set; grey ticks are its draws."""
    final = rows[rows["panel"] == "chosen"]
    draws = rows[rows["panel"] == "draw"]
    for level, name in enumerate(SETS):
        for index, (split, marker) in enumerate(ASKED.items()):
            height = level + 0.25 * (index - 1)
            chosen = final[(final["neuron_set"] == name) & (final["split"] == split)]
            mean, spread = error_bars(chosen, 100)
            heights = [height] * len(mean)
            axes.errorbar(
                mean, heights, xerr=spread, color=INK, marker=marker, markersize=5, capsize=1.5, linewidth=0.9
            )
            single = 100 * draws.loc[(draws["neuron_set"] == name) & (draws["split"] == split), "mean"]
            axes.plot(single, [height] * len(single), "|", color=GREY, markersize=6, markeredgewidth=1)
    axes.set_yticks(range(len(SETS)), [WORDS[name] for name in SETS])
    axes.set_ylim(len(SETS) - 0.5, -0.5)
    axes.set_xlim(-4, 104)
    axes.set_xlabel("accuracy at the chosen epoch (%)")


def _costs(axes: Axes, rows: pd.DataFrame) -> None:
    """Write what each neuron set costs, as means over its draws, beside the rows that ``_chosen`` draws."""
    runs = rows[rows["panel"] == "run"].groupby("neuron_set")[COST_COLUMNS[1:]].mean()
    axes.set_ylim(len(SETS) - 0.5, -0.5)
    axes.set_axis_off()
    for column, title in enumerate(COSTS):
        across = (column + 1) / len(COSTS)
        axes.text(across, -0.6, title, size=6.5, ha="right", va="bottom", transform=axes.get_yaxis_transform())
        for level, name in enumerate(SETS):
            if name not in runs.index:
                continue
            parameters, state, peak, seconds = runs.loc[name]
            texts = f"{parameters:,.0f}", f"{state / MEBIBYTE:,.3g}", f"{peak / MEBIBYTE:,.0f}", f"{seconds:,.3g}"
            axes.text(
                across, level, texts[column], size=7, ha="right", va="center", transform=axes.get_yaxis_transform()
            )


def _not_run(figure: SubFigure, model: str, why: str) -> None:
    """Write why nothing was trained, in the place of a model's panels."""
    axes = figure.subplots()
    axes.text(0.5, 0.5, plain(f"not run: {why}"), ha="center", va="center", color=GREY)
    axes.set_title(plain(model))
    axes.set_axis_off()


def _model(figure: SubFigure, model: str, rows: pd.DataFrame) -> None:
    """Draw one model: above, the curves of all questions and the learning rates; below, the chosen epoch and costs."""
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    *curve_axes, rate_axes = above.subplots(1, len(ASKED) + 1)
    for axes, split in zip(curve_axes, ASKED, strict=True):
        _curves(axes, rows, split)
        axes.tick_params(labelleft=axes is curve_axes[0])
    _tried_rates(rate_axes, rows)
    curve_axes[0].set_ylabel("greedy accuracy (%)")
    above.suptitle(plain(model), size=9)
    left, right = below.subplots(1, 2, width_ratios=[1.25, 1])
    _chosen(left, rows)
    _costs(right, rows)


def draw(summaries: list[dict[str, Any]], trainings: list[dict[str, Any]]) -> Figure:
    """Draw two rows of panels per model.

    Args:
        summaries: the summaries of the fine-tuning experiments of all models.
        trainings: the contents of their training.json, in the same order.
    """
    use_style()
    frame = table(summaries, trainings)
    why = {summary["model"]: summary.get("not_run") for summary in summaries}
    heights = [0.7 if reason else 4.4 for reason in why.values()]
    figure = Figure(figsize=(2 * WIDTH, sum(heights) + 1.1), layout="constrained")
    subfigures = figure.subfigures(len(why), 1, squeeze=False, height_ratios=heights)[:, 0]
    for subfigure, (model, reason) in zip(subfigures, why.items(), strict=True):
        if reason:
            _not_run(subfigure, model, reason)
        else:
            _model(subfigure, model, frame[frame["model"] == model])
    _legend(figure)
    figure.suptitle(f"Teaching new facts to some neurons or to everything\n(whiskers: {intervals_of(summaries)})")
    return figure


def _legend(figure: Figure) -> None:
    sets = [
        Line2D([], [], **LOOKS[name].line, markersize=4, linestyle=dashes, label=WORDS[name])
        for name, dashes in SETS.items()
    ]
    grey: dict[str, Any] = {"color": GREY, "linestyle": ""}
    stop = Line2D(
        [],
        [],
        marker="o",
        markersize=6,
        markeredgecolor="black",
        label="chosen on development facts",
        **grey,
    )
    limit = Line2D(
        [],
        [],
        marker="o",
        markersize=6,
        markeredgecolor="black",
        markerfacecolor="white",
        label="chosen, at the end of the search",
        **grey,
    )
    asked = [Line2D([], [], marker=sign, markersize=5, label=SPLITS[split], **grey) for split, sign in ASKED.items()]
    single = Line2D([], [], color=GREY, marker="|", linestyle="", label="one training")
    figure.legend(handles=[*sets, stop, limit, *asked, single], loc="outside lower center", ncols=3)


def chosen_rates(summaries: list[dict[str, Any]], trainings: list[dict[str, Any]]) -> list[str]:
    """Return a line per neuron set of every model: the learning rate that was chosen, and those that were tried."""
    lines = []
    for summary, training in zip(summaries, trainings, strict=True):
        for report in training.get("sets", []):
            if report["draw"] == 0:
                where = "inside" if report["learning_rate_inside"] else "at the end of the search"
                lines.append(
                    f"{summary['model']}, {WORDS[report['neuron_set']]}: learning rate {report['learning_rate']:g}, "
                    f"{where}; {len(report['tried_rates'])} tried from {report['lowest_rate']:g} to "
                    f"{report['highest_rate']:g}"
                )
    return lines


def main(
    experiment: Annotated[list[Path], Option(help="Folder of a fine-tuning experiment; repeatable.")],
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored summaries and costs of the fine-tuning experiments."""
    summaries = [read_json(folder / "summary.json") for folder in experiment]
    trainings = [read_json(folder / "training.json") for folder in experiment]
    rates = chosen_rates(summaries, trainings)
    numbers = of_experiments(summaries) + (bullets(rates) if rates else "")
    save(draw(summaries, trainings), table(summaries, trainings), output, numbers)
