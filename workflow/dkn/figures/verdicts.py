"""Figure ``verdicts``: the verdict on every claim of the paper in every model of the study."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import use_style
from dkn.plain_text import restructuredtext
from dkn.storage.files import read_json
from dkn.summaries.wording import bullets, contrast, interval, sized

# The colour of each verdict, and a sign that can be told without colours.
LOOKS = {
    "supported": ("#009E73", "✔"),
    "not supported": ("#D55E00", "✘"),
    "inconclusive": ("0.8", "?"),
    "not run": ("white", "–"),
}
WHOLE_STUDY = "all models"


def table(verdicts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows: one row per claim and model.

    Args:
        verdicts: the rows of verdicts.json.
    Returns:
        The columns claim, text, model, verdict, held and needed (how many contrasts hold, and how many are needed), and
        fewest_facts (the smallest n of the contrasts).
    """
    rows = []
    for row in verdicts:
        held = [piece.get("verdict") == "supported" for piece in row["evidence"]]
        facts = [piece["facts"] for piece in row["evidence"] if piece.get("facts") is not None]
        rows.append(
            {
                "claim": row["claim"],
                "text": row["text"],
                "model": row["model"] or WHOLE_STUDY,
                "verdict": row["verdict"],
                "held": sum(held) if row["model"] else None,
                "needed": len(held) if row["model"] else None,
                "fewest_facts": min(facts, default=0),
            }
        )
    return pd.DataFrame(rows)


def _cell(axes: Axes, x: float, y: int, width: float, row: Any) -> None:
    colour, sign = LOOKS[row.verdict]
    axes.barh(y, width - 0.08, left=x - width / 2 + 0.04, height=0.86, color=colour, edgecolor="0.6", linewidth=0.6)
    ink = "white" if row.verdict in ("supported", "not supported") else "0.15"
    axes.text(x, y - 0.14, f"{sign} {row.verdict}", ha="center", va="center", size=7.5, color=ink)
    if row.needed == row.needed and row.needed is not None:
        note = f"{int(row.held)} of {int(row.needed)} contrasts, n ≥ {int(row.fewest_facts)}"
        axes.text(x, y + 0.2, note, ha="center", va="center", size=6, color=ink)


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a row per claim and a column per model; a claim about all models spans all columns.

    Args:
        frame: as ``table`` returns it.
    """
    use_style()
    models = [name for name in dict.fromkeys(frame["model"]) if name != WHOLE_STUDY]
    claims = list(dict.fromkeys(frame["claim"]))
    figure = Figure(figsize=(3.9 + 1.55 * len(models), 0.55 * len(claims) + 0.7), layout="constrained")
    axes = figure.subplots()
    for row in frame.itertuples(index=False):
        whole = row.model == WHOLE_STUDY
        x = (len(models) - 1) / 2 if whole else models.index(row.model)
        _cell(axes, x, claims.index(row.claim), len(models) if whole else 1, row)
    texts = frame.drop_duplicates("claim").set_index("claim")["text"]
    axes.set_yticks(range(len(claims)), [textwrap.fill(f"{name}  {texts[name]}", 62) for name in claims])
    axes.tick_params(axis="y", length=0, labelsize=6.5)
    axes.set_xticks(range(len(models)), models)
    axes.tick_params(axis="x", length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xlim(-0.5, len(models) - 0.5)
    axes.set_ylim(len(claims) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    return figure


def _decisive(row: Mapping[str, Any]) -> str:
    """Return in words the first contrast that says what the claim's verdict says, or why there is none."""
    for piece in row["evidence"]:
        if piece.get("verdict") == row["verdict"] and piece.get("difference") is not None:
            return contrast(piece)
    if row["model"] is None and row["evidence"]:
        numbers = (
            f"{size['model']} {interval(size['mean'], size['low'], size['high'])}, {sized(size)}"
            for size in row["evidence"]
        )
        return "; ".join((*([row["note"]] if row["note"] else []), *numbers))
    return "no contrast over enough subjects"


def caption(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: how many claims hold in each model, and what decides each verdict.

    Args:
        verdicts: the rows of verdicts.json.
    """
    counts = []
    for model in dict.fromkeys(row["model"] for row in verdicts if row["model"]):
        in_model = [row["verdict"] for row in verdicts if row["model"] == model]
        counts.append(
            f"{model}: of {len(in_model)} claims "
            + ", ".join(f"{in_model.count(verdict)} {verdict}" for verdict in LOOKS)
        )
    blocks = [bullets(counts)]
    for name, text in sorted({(row["claim"], row["text"]) for row in verdicts}):
        rows = (row for row in verdicts if row["claim"] == name)
        blocks.append(f"**{name}**: {restructuredtext(text)}.\n")
        blocks.append(bullets(f"{row['model'] or WHOLE_STUDY}: {row['verdict']}. {_decisive(row)}" for row in rows))
    return "\n".join(blocks)


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: flags.Pdf) -> None:
    """Draw the figure from the stored verdicts."""
    rows = read_json(verdicts)["verdicts"]
    frame = table(rows)
    save(draw(frame), frame, output, caption(rows))
