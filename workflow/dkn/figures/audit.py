"""Figure ``audit``: what every departure of the released code changes, switch by switch."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from typer import Option

from dkn import flags
from dkn.audit.stored import SHORT, clearly_moved, comparison_table, largest_movers, read_audits, verdict_changes
from dkn.figures.points import points_axis
from dkn.figures.saving import save
from dkn.figures.style import GREY, Look, of_models, plain, use_style
from dkn.study.protocol import SWITCHES
from dkn.summaries.wording import bracketed, bullets

DIRECTIONS = {"flipped": "flipped in the text's protocol", "mended": "mended in the released one"}
MOVERS = 3  # how many switches the caption names
LETTERS = 20  # in a line of a panel's title


def draw(audits: Sequence[Mapping[str, Any]], confidence: float) -> Figure:
    """Draw a row per switch and a panel per number: its change in every model, in both directions.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
        confidence: that of the intervals.
    """
    use_style()
    table = comparison_table(audits)
    names = list(SWITCHES)
    figure = Figure(figsize=(10.2, 12.6), layout="constrained")
    axes = figure.subplots(2, (len(SHORT) + 3) // 2, sharey=True).ravel()
    models = [audit["model"] for audit in audits]
    _counted(axes[0], table, models, names, "jaccard", "Jaccard index of KNs")
    _counted(axes[1], table, models, names, "with_dkn", "facts with a DKN (% of the sample)", audits)
    for panel, (name, title) in zip(axes[2:], SHORT.items(), strict=False):
        _changes(panel, table, models, names, name, title)
    for panel in axes[2 + len(SHORT) :]:
        panel.set_visible(False)
    for panel in axes[: 2 + len(SHORT)]:
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.tick_params(labelsize=7.5)
        _between_groups(panel, names)
    figure.legend(handles=_handles(models), loc="outside lower center", ncols=min(2, len(models)))
    figure.suptitle(
        "What each departure of the released code changes, in points (hundredths)\n"
        f"{100 * confidence:g} % bootstrap intervals over subjects, not adjusted for the number of switches"
    )
    return figure


def _handles(models: Sequence[str]) -> list[Line2D]:
    looks = of_models(models)
    return [
        Line2D([], [], linestyle="", label=f"{plain(model)}, {words}", **_look(looks[model], direction))
        for model in models
        for direction, words in DIRECTIONS.items()
    ]


def _between_groups(axes: Axes, names: Sequence[str]) -> None:
    """Draw a line between the parts of the analysis, and a faint ground behind every second switch."""
    groups = [SWITCHES[name].group for name in names]
    for place in range(len(names)):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="0.965", linewidth=0, zorder=-1)
        if place and groups[place] != groups[place - 1]:
            axes.axhline(place - 0.5, color="0.6", linewidth=0.7, zorder=0)


def _rows(
    table: pd.DataFrame, models: Sequence[str], names: Sequence[str]
) -> list[tuple[int, str, pd.DataFrame, np.ndarray]]:
    """Return for every model and direction its number, the direction, its rows, and their heights in a panel."""
    found = []
    for number, model in enumerate(models):
        for side, direction in enumerate(DIRECTIONS):
            rows = table[(table["model"] == model) & (table["direction"] == direction)]
            shift = 0.2 * (2 * number + side - (2 * len(models) - 1) / 2) / max(1, len(models) / 2)
            heights = np.array([names.index(name) for name in rows["switch"]]) + shift
            found.append((number, direction, rows, heights))
    return found


def _look(look: Look, direction: str) -> dict[str, Any]:
    fill = look.colour if direction == "flipped" else "white"
    return {**look.line, "markerfacecolor": fill, "markersize": 3.1, "markeredgewidth": 0.8}


def _counted(
    axes: Axes,
    table: pd.DataFrame,
    models: Sequence[str],
    names: Sequence[str],
    what: str,
    title: str,
    audits: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Draw a panel of likenesses, or of changes in counts as a share of the sample."""
    drawn = [np.zeros(1)]
    for number, direction, rows, heights in _rows(table, models, names):
        if what == "jaccard":
            values = rows[what].to_numpy(dtype=float)
        else:
            values = 100 * (rows[f"{what}_after"] - rows[f"{what}_before"]).to_numpy() / audits[number]["sample"]
        axes.plot(values, heights, linestyle="", **_look(of_models(models)[models[number]], direction))
        drawn.append(values)
    if what == "jaccard":
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks([0, 0.5, 1])
    else:
        points_axis(axes, np.concatenate(drawn))
    _entitle(axes, title, 1 if what == "jaccard" else 0)


def _changes(
    axes: Axes, table: pd.DataFrame, models: Sequence[str], names: Sequence[str], name: str, title: str
) -> None:
    """Draw a panel of one main number: its change with its interval."""
    drawn = [np.zeros(1)]
    for number, direction, rows, heights in _rows(table, models, names):
        values = 100 * rows[f"{name}_change"].to_numpy(dtype=float)
        bounds = 100 * rows[[f"{name}_low", f"{name}_high"]].to_numpy(dtype=float).T
        bars = np.nan_to_num(np.abs(bounds - values))
        axes.errorbar(
            values,
            heights,
            xerr=bars,
            linestyle="",
            elinewidth=0.7,
            **_look(of_models(models)[models[number]], direction),
        )
        drawn += [values, bounds.ravel()]
    if np.isnan(np.concatenate(drawn)[1:]).all():
        axes.text(0.5, 0.5, "undefined\nthroughout", ha="center", va="center", color=GREY, transform=axes.transAxes)
        axes.set_xticks([])
    else:
        points_axis(axes, np.concatenate(drawn))
    _entitle(axes, title, 0)


def _entitle(axes: Axes, title: str, unchanged: float) -> None:
    """Set a panel's title, and mark where nothing changes."""
    if len(axes.get_xticks()):
        axes.axvline(unchanged, color="0.6", linewidth=0.7, zorder=0)
    axes.set_title(textwrap.fill(title, LETTERS), fontsize=8)


def caption(audits: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: the sample, the switches that move most, and the verdicts that depend on a switch.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    lines = []
    for audit in audits:
        model = audit["model"]
        lines.append(f"{model}: {audit['sample']} facts, of which the model knows {audit['known']}")
        for direction, words in DIRECTIONS.items():
            movers = largest_movers(audit, direction, list(SHORT), MOVERS)
            moved = "; ".join(_moved(one) for one in movers) or "no switch"
            lines.append(f"{model}, {words}: most numbers are moved, in points, by {moved}")
            changed = [
                f"{one['switch']} ({', '.join(verdict_changes(one))})"
                for one in audit["comparisons"]
                if one["direction"] == direction and verdict_changes(one)
            ]
            lines.append(f"{model}, {words}: verdicts are changed by {'; '.join(changed) or 'no switch'}")
        missing = [f"{name} ({why})" for name, why in audit["missing"].items()]
        lines += [f"{model} does not have: {', '.join(missing)}"] if missing else []
    lines += [f"not run, {name}: {why}" for name, why in audits[0]["stated"].items()]
    return bullets(lines)


def _moved(comparison: Mapping[str, Any]) -> str:
    """Return a switch with the numbers that it clearly moves."""
    changes = []
    for name in clearly_moved(comparison, list(SHORT)):
        of_name = comparison["numbers"][name]
        number = bracketed(of_name["value"], of_name["low"], of_name["high"], "drop")
        changes.append(f"{SHORT[name]} by {'' if number.startswith('-') else '+'}{number}")
    return f"{comparison['switch']} ({', '.join(changes)})"


def main(
    audit: Annotated[list[Path], Option(help="audit.json of a model; repeatable.")],
    confidence: flags.Confidence,
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored audits."""
    audits = read_audits(audit)
    save(draw(audits, confidence), comparison_table(audits), output, caption(audits))
