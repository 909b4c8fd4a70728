"""Figure ``complexity``: every setting's main number against model size, in parameters."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import Look, error_bars, fitted, of_models, panels, plain, say_nothing_to_draw
from dkn.paper.model_size import METRICS
from dkn.storage.files import read_json
from dkn.summaries.wording import bullets, factor, interval, sized

COLUMNS = 3
UNIT_OF = {metric.name: metric.where["metric"] for metric in METRICS}
DIFFERENCES = {metric.name for metric in METRICS if metric.is_difference}
NOTHING = "no main number was computed"
TABLE_COLUMNS = ["metric", "label", "model", "parameters", "mean", "low", "high", "facts", "subjects"]


def _panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, Look], line: bool) -> None:
    metric = rows["metric"].iloc[0]
    mean, spread = error_bars(rows, factor(UNIT_OF.get(metric, "")))
    axes.set_ylabel("points" if metric in DIFFERENCES else "%")
    if line:
        axes.plot(rows["parameters"], mean, color="0.7", linewidth=1, zorder=1)
    for index, row in enumerate(rows.itertuples(index=False)):
        axes.errorbar(
            row.parameters,
            mean[index],
            yerr=spread[:, [index]],
            **looks[row.model].line,
            markersize=5,
            capsize=3,
        )
        axes.annotate(
            f"n = {row.facts}", (row.parameters, mean[index]), (5, 4), textcoords="offset points", size=6.5, color="0.3"
        )
    if rows["parameters"].max() > 3 * rows["parameters"].min():
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.25, y=0.2)
    axes.set_xlabel("parameters of the model")


def draw(frame: pd.DataFrame, note: str | None) -> Figure:
    """Draw a panel per metric and a point per model.

    Args:
        frame: one row per metric and model, as ``against_size`` returns them; may be empty.
        note: what is not claimed because there are too few sizes, or None; with a note no line joins the points.
    """
    metrics = list(dict.fromkeys(frame["metric"])) if len(frame) else []
    models = list(dict.fromkeys(frame["model"])) if len(frame) else []
    looks = of_models(models)
    columns = min(COLUMNS, max(1, len(metrics)))
    figure, grid = panels(max(1, -(-len(metrics) // columns)), columns, height=2.4)
    flat = [axes for row in grid for axes in row]
    for axes, metric in zip(flat, metrics, strict=False):
        rows = frame[frame["metric"] == metric]
        _panel(axes, rows, looks, note is None)
        axes.set_title(textwrap.fill(rows["label"].iloc[0], 34))
    if not metrics:
        say_nothing_to_draw(flat[0], NOTHING)
    for axes in flat[max(1, len(metrics)) :]:
        axes.set_visible(False)
    handles = [flat[0].errorbar([], [], **looks[model].line, label=plain(model)) for model in models]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    title = "Every setting's main number against model size (whiskers: bootstrap intervals over subjects)"
    figure.suptitle("\n".join(fitted(line, columns) for line in (title, note) if line))
    return figure


def caption(frame: pd.DataFrame, note: str | None) -> str:
    """Return the caption's numbers: every point, after the note on what is not claimed of so few models.

    Args:
        frame: as for ``draw``.
        note: as for ``draw``.
    """
    points = []
    for row in frame.itertuples(index=False):
        number = interval(row.mean, row.low, row.high, UNIT_OF.get(row.metric, ""), row.metric in DIFFERENCES)
        of_model = f"{row.model} with {row.parameters:,} parameters"
        points.append(f"{row.label}, {of_model}: {number}, {sized(row._asdict())}")
    return bullets([*([note] if note else []), *(points or [NOTHING])])


def main(complexity: Annotated[Path, Option(help="complexity.json")], output: flags.Pdf) -> None:
    """Draw the figure from the stored comparison of the models."""
    content = read_json(complexity)
    frame = pd.DataFrame(content["rows"], columns=TABLE_COLUMNS).astype(dict.fromkeys(("mean", "low", "high"), float))
    save(draw(frame, content["note"]), frame, output, caption(frame, content["note"]))
