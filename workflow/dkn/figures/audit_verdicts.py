"""Figure ``audit_verdicts``: which verdicts depend on a departure of the released code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from typer import Option

from dkn import flags
from dkn.audit.stored import read_audits, verdict_changes, verdict_table
from dkn.figures.saving import save
from dkn.figures.style import GREY, VERDICT_LOOKS, plain, use_style
from dkn.study.protocol import RELEASED, SWITCHES, TEXT
from dkn.summaries.wording import bullets

DIRECTIONS = {
    "flipped": (TEXT, "flipped in the text's protocol"),
    "mended": (RELEASED, "mended in the released one"),
}


def draw(audits: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a panel per model and direction: a row per switch, a column per claim and reading, a colour per verdict.

    The first row has the verdicts of the protocol itself; a frame marks a verdict that differs from it.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    use_style()
    table = verdict_table(audits)
    models = [audit["model"] for audit in audits]
    columns = 2 * len(models)
    figure = Figure(figsize=(1.6 + 2.0 * columns, 8.6), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
    for number, model in enumerate(models):
        for side, (direction, (protocol, words)) in enumerate(DIRECTIONS.items()):
            rows = table[(table["model"] == model) & table["direction"].isin([protocol, direction])]
            _panel(axes[2 * number + side], rows)
            axes[2 * number + side].set_title(f"{plain(model)}\n{words}", fontsize=8)
    axes[0].set_yticks(range(len(SWITCHES) + 1), ["the protocol itself", *SWITCHES])
    axes[0].set_ylim(len(SWITCHES) + 0.5, -0.5)
    handles = [
        Patch(facecolor=look[0], edgecolor="0.6", label=f"{look[2]} {verdict}")
        for verdict, look in VERDICT_LOOKS.items()
    ]
    handles.append(Patch(fill=False, edgecolor="black", linewidth=1.6, label="differs from the protocol's own"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if columns == 2 else 4)
    figure.suptitle("Verdicts that depend on a departure of the released code\n(p: primary reading, l: literal)")
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    keys = sorted(set(zip(rows["claim"], rows["reading"], strict=True)), key=lambda key: (key[0], key[1] != "primary"))
    heights = {"": 0, **{name: place for place, name in enumerate(SWITCHES, 1)}}
    for row in sorted(rows.itertuples(index=False), key=lambda row: row.changed):
        colour, ink, sign = VERDICT_LOOKS[row.verdict]
        x, y = keys.index((row.claim, row.reading)), heights[row.switch]
        frame = {"edgecolor": "black", "linewidth": 1.6, "zorder": 3} if row.changed else {"edgecolor": "0.8"}
        axes.barh(y, 0.9, left=x - 0.45, height=0.84, color=colour, **frame)
        axes.text(x, y, sign, ha="center", va="center", size=6, color=ink, zorder=4)
    for name in [name for name in SWITCHES if name not in set(rows["switch"])]:
        words = "the model does not have this switch"
        axes.text((len(keys) - 1) / 2, heights[name], words, ha="center", va="center", size=6.5, color=GREY)
    axes.axhline(0.5, color="0.3", linewidth=0.8)
    axes.set_xlim(-0.6, len(keys) - 0.4)
    axes.set_xticks(range(len(keys)), [f"{claim}\n{reading[0]}" for claim, reading in keys])
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set_visible(False)


def caption(audits: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: the verdicts that differ between the protocols, and how many each switch changes.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    lines = []
    for audit in audits:
        text, released = (audit["states"][name]["verdicts"] for name in (TEXT, RELEASED))
        differ = [
            f"{key.replace('/', ' ')} {verdict} → {released[key]}"
            for key, verdict in text.items()
            if verdict != released[key]
        ]
        lines.append(f"{audit['model']}, text → released: {'; '.join(differ) or 'all verdicts are the same'}")
        for direction, (_, words) in DIRECTIONS.items():
            counts = [
                f"{one['switch']} {len(verdict_changes(one))}"
                for one in audit["comparisons"]
                if one["direction"] == direction and verdict_changes(one)
            ]
            lines.append(f"{audit['model']}, {words}, verdicts that change: {', '.join(counts) or 'none'}")
    return bullets(lines)


def main(audit: Annotated[list[Path], Option(help="audit.json of a model; repeatable.")], output: flags.Pdf) -> None:
    """Draw the figure from the stored audits."""
    audits = read_audits(audit)
    save(draw(audits), verdict_table(audits), output, caption(audits))
