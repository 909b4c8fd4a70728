"""Figure ``fact_checking``: how well each detector tells true statements from false ones, on test subjects.

There is a row per model and wording. The left panel has the balanced accuracy as a bar with other metrics below it. The
right panel has the ROC curves, and on each of them the point of the threshold that the training subjects chose, or of
the fixed one.
Detectors whose neurons were found with the fact's true answer are marked everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import LOOKS, PALE, error_bars, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.paper.headlines import of_experiments
from dkn.statistics.detection import Scores
from dkn.statistics.roc import roc_curve
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACT_CHECKING
from dkn.study.names import ANSWER_PROB, DKN, KN, NONE, PLM, RANDOM, RANDOM_KN, WORDS
from dkn.study.protocol import applied
from dkn.study.registry import of_setting
from dkn.summaries.fact_checking import USED, ThresholdSettings, conditions

WORDINGS = ("triple", "complex")
# The detectors with the origins of their neurons, in the order from top to bottom.
SCORES = (
    (DKN, "relation"),
    (KN, "relation"),
    (RANDOM, "relation"),
    (RANDOM_KN, "relation"),
    (PLM, NONE),
    (ANSWER_PROB, NONE),
    (DKN, "own"),
    (KN, "own"),
    (RANDOM, "own"),
    (RANDOM_KN, "own"),
)
WHOSE = {"relation": " of the relation", "own": " of the fact", NONE: ""}
NAMES = list(dict.fromkeys(name for name, _ in SCORES))
# The signs of the metrics in the left panel. Recall stands in the ROC panel, with its interval.
SIGNS = {"auroc": ("o", "AUROC"), "f1": ("d", "F1"), "precision": (">", "precision")}
HATCH = "/////"
BAR = -0.26  # where the bar of a row is, with its label and n; its other metrics stand below it
GRID = 201  # places at which ROC curves are averaged over draws
KEYS = ["model", "wording", "detector", "neurons", "sees_label", "what"]
RATES = ["threshold", "false_positive_rate", "true_positive_rate"]
COLUMNS = [*KEYS, "metric", "mean", "low", "high", "facts", "subjects", *RATES]


def _mean_curve(draws: Sequence[Scores]) -> pd.DataFrame:
    """Return the ROC curve on the test split; of several draws the mean share of true statements accepted."""
    curves = [roc_curve(scores.test["score"].to_numpy(), scores.test["truth"].to_numpy()) for scores in draws]
    if len(curves) == 1:
        return curves[0]
    false = np.linspace(0, 1, GRID)
    true = np.mean([np.interp(false, one["false_positive_rate"], one["true_positive_rate"]) for one in curves], axis=0)
    return pd.DataFrame({"threshold": np.nan, "false_positive_rate": false, "true_positive_rate": true})


def _mean_point(draws: Sequence[Scores]) -> pd.DataFrame:
    """Return the threshold with the shares of false and of true statements that it accepts, as means over the draws."""
    points = []
    for scores in draws:
        accepted = (scores.test["score"] > scores.threshold).groupby(scores.test["truth"]).mean()
        points.append([scores.stated_threshold, accepted[False], accepted[True]])
    return pd.DataFrame([np.mean(points, axis=0)], columns=RATES)


def _curves(model: str, records: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Return every detector's ROC curve on the test split (``what`` is roc), and its threshold's point (point)."""
    tables = []
    for (detector, neurons, wording), draws in conditions(records, thresholds).items():
        both = pd.concat([_mean_curve(draws).assign(what="roc"), _mean_point(draws).assign(what="point")])
        tables.append(both.assign(model=model, wording=wording, detector=detector, neurons=neurons))
    return pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS)


def table(
    summaries: Sequence[dict[str, Any]], records: dict[str, pd.DataFrame], thresholds: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return what the figure shows: metrics from the summaries, then curves and points from the records.

    Args:
        summaries: the summaries of all models and fact-checking experiments.
        records: the records of all detectors of each model, with the columns of ``schemas.FACT_CHECKING``.
        thresholds: the fixed thresholds that the summaries have, by detector, see ``summaries.fact_checking``.
    Returns:
        The columns ``COLUMNS``, of which ``what`` is metric, roc or point.
    """
    metrics = [
        {"model": summary["model"], "what": "metric", **row} for summary in summaries for row in summary["estimates"]
    ]
    frames = [
        pd.DataFrame(metrics, columns=COLUMNS),
        *(_curves(model, frame, thresholds or {}) for model, frame in records.items()),
    ]
    joined = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    sees_label = {(row["detector"], row["neurons"]): row["sees_label"] for row in metrics}
    joined["sees_label"] = [sees_label.get(key) for key in zip(joined["detector"], joined["neurons"], strict=True)]
    return joined[COLUMNS]


def _lines(rows: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return each detector and origin of its neurons with its rows, from top to bottom."""
    rows_by_key = dict(list(rows.groupby(["detector", "neurons"])))
    return [(key, rows_by_key[key]) for key in SCORES if key in rows_by_key]


def _detector(axes: Axes, level: int, name: str, metrics: pd.DataFrame) -> None:
    """Draw one detector's balanced accuracy as a bar, its other metrics as signs below the bar, and its n."""
    accuracy = metrics[metrics["metric"] == "balanced_accuracy"]
    flagged = metrics["sees_label"].any()
    mean, spread = error_bars(accuracy, 100)
    alpha = PALE if accuracy["low"].isna().all() else None
    axes.barh(
        level + BAR,
        mean,
        0.36,
        xerr=spread,
        alpha=alpha,
        error_kw={"linewidth": 1, "capsize": 1.5},
        facecolor="white" if flagged else LOOKS[name].colour,
        edgecolor=LOOKS[name].colour,
        hatch=HATCH if flagged else None,
        linewidth=0.8,
    )
    style: dict[str, Any] = {
        "color": LOOKS[name].colour,
        "linestyle": "",
        "markersize": 3,
        "linewidth": 0.8,
        "zorder": 3,
        "alpha": alpha,
    }
    for index, (metric, (marker, _)) in enumerate(SIGNS.items()):
        row = metrics[metrics["metric"] == metric]
        mean, spread = error_bars(row, 100)
        axes.errorbar(mean, [level + 0.06 + 0.18 * index], xerr=spread, marker=marker, **style)
    if flagged:
        axes.axhspan(level - 0.5, level + 0.5, color="0.94", linewidth=0, zorder=0)
    n = f"n = {accuracy['facts'].iloc[0]:.0f}"
    axes.annotate(n, (1.02, level + BAR), xycoords=("axes fraction", "data"), size=6.5, va="center")


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw every detector's metrics, and as lines chance and the F1 of accepting everything."""
    lines = _lines(rows)
    for level, ((name, _), metrics) in enumerate(lines):
        _detector(axes, level, name, metrics)
    axes.axvline(200 / 3, color="0.3", linewidth=0.8, linestyle="--", zorder=0.5)  # half of the statements are true
    axes.axvline(50, color="0.3", linewidth=0.8, linestyle=":", zorder=0.5)
    labels = [
        WORDS[name].replace(", as", ",\nas") + WHOSE[neurons] + (" †" if metrics["sees_label"].any() else "")
        for (name, neurons), metrics in lines
    ]
    axes.set_yticks([level + BAR for level in range(len(lines))], labels)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.set_ylim(len(lines) - 0.45, -0.55)
    axes.set_xlim(0, 103)
    axes.set_xlabel("balanced accuracy (bars), other metrics (signs), %")


def _roc(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the ROC curves, and the points of the chosen thresholds with the intervals of their recall."""
    axes.plot([0, 100], [0, 100], color="0.3", linewidth=0.8, linestyle=":", zorder=0)
    for (name, _), detector in _lines(rows):
        flagged = detector["sees_label"].any()
        curve, point = detector[detector["what"] == "roc"], detector[detector["what"] == "point"]
        recall = detector[detector["metric"] == "recall"]
        _, spread = error_bars(recall, 100)
        alpha = PALE if recall["low"].isna().all() else None
        face = "white" if flagged else LOOKS[name].colour
        axes.plot(
            100 * curve["false_positive_rate"],
            100 * curve["true_positive_rate"],
            color=LOOKS[name].colour,
            alpha=alpha,
            linewidth=1,
            linestyle="--" if flagged else "-",
            marker=LOOKS[name].marker,
            markersize=2.2,
            markerfacecolor=face,
            markeredgewidth=0.6,
            markevery=(0.03 * NAMES.index(name), 0.15),  # lines are told apart in grey, too
        )
        axes.errorbar(
            100 * point["false_positive_rate"],
            100 * point["true_positive_rate"],
            yerr=spread,
            alpha=alpha,
            color=LOOKS[name].colour,
            marker=LOOKS[name].marker,
            markersize=5,
            markerfacecolor=face,
            linewidth=0.8,
            capsize=1.5,
            zorder=3,
        )
    axes.set_xlim(-3, 103)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("false statements accepted (%)")
    axes.set_ylabel("true statements accepted (recall, %)")


def _legend(figure: Figure, frame: pd.DataFrame) -> None:
    handles: list[Any] = [
        Line2D([], [], color=LOOKS[name].colour, marker=LOOKS[name].marker, markersize=4.5, label=WORDS[name])
        for name in NAMES
    ]
    for marker, label in SIGNS.values():
        handles.append(Line2D([], [], color="0.2", linestyle="", marker=marker, markersize=3.5, label=label))
    handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle="--", label="F1 of accepting everything"))
    handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="chance (bars, AUROC, precision)"))
    if frame.loc[frame["what"] == "metric", "low"].isna().any():
        handles.append(Patch(facecolor="0.2", alpha=PALE, label="pale: too few subjects for an interval"))
    flag = "† sees the label: found with the\ntrue answer (hatched; dashed, open)"
    handles.append(Patch(facecolor="white", edgecolor="0.2", hatch=HATCH, label=flag))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def draw(frame: pd.DataFrame, models: Sequence[str], intervals: str) -> Figure:
    """Draw a row per model and wording: metrics on the left, ROC curves on the right.

    Args:
        frame: as ``table`` returns it.
        models: the names of the models, in the order of the rows.
        intervals: what the intervals are, for the title.
    """
    figure, axes = panels(len(WORDINGS) * len(models), 2, height=4.2)
    rows = iter(axes)
    for model in models:
        for wording in WORDINGS:
            metrics, curves = next(rows)
            chosen = frame[(frame["model"] == model) & (frame["wording"] == wording)]
            if chosen.empty:
                say_nothing_to_draw(metrics, "no statement to test")
                say_nothing_to_draw(curves, "no statement to test")
            else:
                _bars(metrics, chosen[chosen["what"] == "metric"])
                _roc(curves, chosen)
            metrics.set_title(f"{model}: {wording} wording")
            curves.set_title("ROC (large signs: thresholds)")
    _legend(figure, frame)
    lines = (
        "Telling true statements from false ones, on test subjects",
        f"({intervals})",
        "n: facts, with one true and one false statement each",
    )
    figure.suptitle("\n".join(fitted(line, 2) for line in lines))
    return figure


def main(model: flags.Folders, output: flags.Pdf, released: flags.Released = None) -> None:
    """Draw the figure from the stored summaries and records of the fact-checking experiments."""
    summaries, records = [], {}
    for folder in model:
        experiments = [folder / "experiments" / name for name in of_setting("fact-checking")]
        summaries += [read_json(path / "summary.json") for path in experiments]
        tables = [read_table(path / "records.parquet", FACT_CHECKING, USED) for path in experiments]
        records[summaries[-1]["model"]] = pd.concat(tables, ignore_index=True)
    frame = table(summaries, records, applied("threshold", ThresholdSettings(), released).of_detectors())
    save(draw(frame, list(records), intervals_of(summaries)), frame, output, of_experiments(summaries))
