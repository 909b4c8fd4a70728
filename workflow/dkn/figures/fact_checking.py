"""Figure ``fact_checking``: which scores tell a true statement from a false one, on test subjects.

Left, F1 as a bar with other metrics below it; right, the ROC curves and what the threshold that training subjects chose
makes of test subjects. A row per model and wording. Neurons found with the fact's true answer are marked everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import COLOURS, GREY, MARKERS, error_bars, fitted, intervals_of, panels, say_nothing_to_draw
from dkn.paper.headlines import of_experiments
from dkn.statistics.detection import roc_curve
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACT_CHECKING
from dkn.study.names import ANSWER_PROB, DKN, KN, NONE, PLM, RANDOM, WORDS
from dkn.study.registry import of_setting
from dkn.summaries.fact_checking import conditions

WORDINGS = ("triple", "complex")
# What scores statements, from top to bottom: a detector, and whose neurons it takes.
SCORES = (
    (DKN, "relation"),
    (KN, "relation"),
    (RANDOM, "relation"),
    (PLM, NONE),
    (ANSWER_PROB, NONE),
    (DKN, "own"),
    (KN, "own"),
    (RANDOM, "own"),
)
WHOSE = {"relation": " of the relation", "own": " of the fact", NONE: ""}
NAMES = list(dict.fromkeys(name for name, _ in SCORES))
COLOUR = dict(zip(NAMES, [*COLOURS[:2], GREY, COLOURS[2], COLOURS[3]], strict=True))
MARKER = dict(zip(NAMES, MARKERS, strict=False))
# Recall stands in the ROC panel, with its interval.
SIGNS = {"precision": (">", "precision"), "balanced_accuracy": ("d", "balanced accuracy"), "auroc": ("o", "AUROC")}
HATCH = "/////"
KEYS = ["model", "wording", "detector", "neurons", "sees_label", "what"]
RATES = ["threshold", "false_positive_rate", "true_positive_rate"]
COLUMNS = [*KEYS, "metric", "mean", "low", "high", "facts", "subjects", *RATES]


def _curves(model: str, records: pd.DataFrame) -> pd.DataFrame:
    """Every detector's ROC curve on the test split (``what`` is roc), and where its threshold lies (point)."""
    found = []
    for (detector, neurons, wording), (limit, test) in conditions(records).items():
        truth, accepted = test["truth"].to_numpy(), test["accepted"].to_numpy()
        point = pd.DataFrame([[limit, accepted[~truth].mean(), accepted[truth].mean()]], columns=RATES)
        curve = roc_curve(test["score"].to_numpy(), truth)
        both = pd.concat([curve.assign(what="roc"), point.assign(what="point")])
        found.append(both.assign(model=model, wording=wording, detector=detector, neurons=neurons))
    return pd.concat(found) if found else pd.DataFrame(columns=COLUMNS)


def table(summaries: Sequence[dict[str, Any]], records: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What the figure shows: metrics from the summaries, then curves and thresholds' points from the records.

    Args:
        summaries: of all models and detectors.
        records: by model, those of all its detectors, with columns as in ``tables.FACT_CHECKING``.
    """
    metrics = [
        {"model": summary["model"], "what": "metric", **row} for summary in summaries for row in summary["estimates"]
    ]
    parts = [pd.DataFrame(metrics, columns=COLUMNS), *(_curves(model, frame) for model, frame in records.items())]
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    flags = {(row["detector"], row["neurons"]): row["sees_label"] for row in metrics}
    frame["sees_label"] = [flags.get(key) for key in zip(frame["detector"], frame["neurons"], strict=True)]
    return frame[COLUMNS]


def _lines(rows: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """(detector and neurons, its rows) from top to bottom."""
    parts = dict(list(rows.groupby(["detector", "neurons"])))
    return [(key, parts[key]) for key in SCORES if key in parts]


def _detector(axes: Axes, at: int, name: str, metrics: pd.DataFrame) -> None:
    """One detector's F1 as a bar, the other metrics as signs below it, and n."""
    f1 = metrics[metrics["metric"] == "f1"]
    flagged = metrics["sees_label"].any()
    axes.barh(
        at - 0.26,
        f1["mean"],
        0.36,
        xerr=error_bars(f1)[1],
        error_kw={"linewidth": 1, "capsize": 1.5},
        facecolor="white" if flagged else COLOUR[name],
        edgecolor=COLOUR[name],
        hatch=HATCH if flagged else None,
        linewidth=0.8,
    )
    look: dict[str, Any] = {"color": COLOUR[name], "linestyle": "", "markersize": 3, "linewidth": 0.8, "zorder": 3}
    for place, (metric, (marker, _)) in enumerate(SIGNS.items()):
        row = metrics[metrics["metric"] == metric]
        axes.errorbar(row["mean"], [at + 0.06 + 0.18 * place], xerr=error_bars(row)[1], marker=marker, **look)
    if flagged:
        axes.axhspan(at - 0.5, at + 0.5, color="0.94", linewidth=0, zorder=0)
    n = f"n = {f1['facts'].iloc[0]:.0f}"
    axes.annotate(n, (1.02, at), xycoords=("axes fraction", "data"), size=6.5, va="center")


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """Every detector's metrics, beside what says nothing: accepting all, and chance."""
    lines = _lines(rows)
    for at, ((name, _), own) in enumerate(lines):
        _detector(axes, at, name, own)
    axes.axvline(2 / 3, color="0.3", linewidth=0.8, linestyle="--", zorder=0.5)  # half of the statements are true
    axes.axvline(1 / 2, color="0.3", linewidth=0.8, linestyle=":", zorder=0.5)
    labels = [
        WORDS[name] + WHOSE[neurons] + (" †" if own["sees_label"].any() else "") for (name, neurons), own in lines
    ]
    axes.set_yticks(range(len(lines)), labels)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.set_ylim(len(lines) - 0.45, -0.55)
    axes.set_xlim(0, 1.03)
    axes.set_xlabel("F1 (bars) and other metrics (signs)")


def _roc(axes: Axes, rows: pd.DataFrame) -> None:
    """The curves, and where the chosen thresholds lie, with the interval of the recall there."""
    axes.plot([0, 1], [0, 1], color="0.3", linewidth=0.8, linestyle=":", zorder=0)
    for (name, _), own in _lines(rows):
        flagged = own["sees_label"].any()
        curve, point = own[own["what"] == "roc"], own[own["what"] == "point"]
        face = "white" if flagged else COLOUR[name]
        axes.plot(
            curve["false_positive_rate"],
            curve["true_positive_rate"],
            color=COLOUR[name],
            linewidth=1,
            linestyle="--" if flagged else "-",
            marker=MARKER[name],
            markersize=2.2,
            markerfacecolor=face,
            markeredgewidth=0.6,
            markevery=(0.03 * NAMES.index(name), 0.15),  # lines are told apart in grey, too
        )
        axes.errorbar(
            point["false_positive_rate"],
            point["true_positive_rate"],
            yerr=error_bars(own[own["metric"] == "recall"])[1],
            color=COLOUR[name],
            marker=MARKER[name],
            markersize=5,
            markerfacecolor=face,
            linewidth=0.8,
            capsize=1.5,
            zorder=3,
        )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("false statements accepted")
    axes.set_ylabel("true statements accepted (recall)")


def _legend(figure: Figure, frame: pd.DataFrame) -> None:
    handles: list[Any] = [
        Line2D([], [], color=COLOUR[name], marker=MARKER[name], markersize=4.5, label=WORDS[name]) for name in NAMES
    ]
    for marker, label in SIGNS.values():
        handles.append(Line2D([], [], color="0.2", linestyle="", marker=marker, markersize=3.5, label=label))
    handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle="--", label="F1 of accepting everything"))
    handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="chance (other metrics)"))
    if frame.loc[frame["what"] == "metric", "low"].isna().any():
        handles.append(Line2D([], [], linestyle="", label="no interval: too few subjects"))
    flag = "† sees the label: found with the\ntrue answer (hatched; dashed, open)"
    handles.append(Patch(facecolor="white", edgecolor="0.2", hatch=HATCH, label=flag))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def draw(frame: pd.DataFrame, models: Sequence[str], intervals: str) -> Figure:
    """A row per model and wording: metrics, and ROC curves.

    Args:
        frame: from ``table``.
        intervals: what they are, for the title.
    """
    figure, axes = panels(len(WORDINGS) * len(models), 2, height=3.2)
    rows = iter(axes)
    for model in models:
        for wording in WORDINGS:
            metrics, curves = next(rows)
            own = frame[(frame["model"] == model) & (frame["wording"] == wording)]
            if own.empty:
                say_nothing_to_draw(metrics, "no statement to test")
                say_nothing_to_draw(curves, "no statement to test")
            else:
                _bars(metrics, own[own["what"] == "metric"])
                _roc(curves, own)
            metrics.set_title(f"{model}: {wording} wording")
            curves.set_title("ROC (large signs: chosen threshold)")
    _legend(figure, frame)
    title = fitted("Telling true statements from false ones, on test subjects", 2)
    figure.suptitle(f"{title}\n({intervals}; n: facts, one true and one false statement each)")
    return figure


def main(model: flags.Folders, output: flags.Pdf) -> None:
    """Draw from stored summaries and records."""
    summaries, records = [], {}
    for folder in model:
        experiments = [folder / "experiments" / name for name in of_setting("fact-checking")]
        summaries += [read_json(path / "summary.json") for path in experiments]
        parts = [read_table(path / "records.parquet", FACT_CHECKING) for path in experiments]
        records[summaries[-1]["model"]] = pd.concat(parts, ignore_index=True)
    frame = table(summaries, records)
    save(draw(frame, list(records), intervals_of(summaries)), frame, output, of_experiments(summaries))
