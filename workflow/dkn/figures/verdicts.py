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
from dkn.figures.style import VERDICT_LOOKS, plain, use_style
from dkn.plain_text import restructuredtext
from dkn.storage.files import read_json
from dkn.summaries.wording import bullets, compared, contrast, interval, sized

WHOLE_STUDY = "all models"
GAP = 0.04  # between cells, in columns and in claims
LINE = 60  # letters of a claim's words
LEGEND = (
    "D: a fact's degenerate knowledge neurons (DKNs). N: all its knowledge neurons (KNs), D among them. BDC: base "
    "degenerate component. Q, Q*: a query, and a perturbed one.",
    "Contrasts: the comparisons that a claim needs. One holds if its interval, which allows for all the others, lies "
    "wholly on the claim's side. n: the facts of the contrast with the fewest.",
)


def table(verdicts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what the figure shows: one row per claim, reading and model.

    Args:
        verdicts: the rows of verdicts.json.
    Returns:
        The columns claim, reading, text, compares, model, verdict, held and needed (how many contrasts hold, and how
        many are needed), fewest_facts (the smallest n of the contrasts), and note (why it is not run).
    """
    rows = []
    for row in verdicts:
        held = [piece.get("outcome") == "supported" for piece in row["evidence"]]
        facts = [piece["facts"] for piece in row["evidence"] if piece.get("facts") is not None]
        rows.append(
            {
                **{name: row[name] for name in ("claim", "reading", "text", "compares")},
                "model": row["model"] or WHOLE_STUDY,
                "verdict": row["verdict"],
                "held": sum(held) if row["model"] else None,
                "needed": len(held) if row["model"] else None,
                "fewest_facts": min(facts, default=0),
                "note": row.get("note"),
            }
        )
    return pd.DataFrame(rows)


def _cell(axes: Axes, x: float, y: float, width: float, height: float, row: Any) -> None:
    """Draw one verdict; ``y`` is the middle of its cell."""
    colour, ink, sign = VERDICT_LOOKS[row.verdict]
    left = x - width / 2 + GAP
    axes.barh(y, width - 2 * GAP, left=left, height=height - GAP, color=colour, edgecolor="0.6", linewidth=0.6)
    note = plain(row.note) if isinstance(row.note, str) else ""
    if row.needed == row.needed and row.needed is not None:
        note = f"holds in {int(row.held)} of {int(row.needed)} contrasts, n ≥ {int(row.fewest_facts)}"
    above = min(0.13, 0.22 * height) * bool(note)
    axes.text(x, y - above, f"{sign} {row.verdict}", ha="center", va="center", size=7, color=ink)
    axes.text(x, y + above, note, ha="center", va="center", size=5.5, color=ink)


def _words(rows: pd.DataFrame) -> str:
    """Return a claim in words, with what its readings compare."""
    first = rows.iloc[0]
    readings = rows.drop_duplicates("reading")
    lines = [f"{first['claim']}  {first['text']}"]
    lines += [
        f"{reading}: {compares}" for reading, compares in zip(readings["reading"], readings["compares"], strict=True)
    ]
    return "\n".join(textwrap.fill(line, LINE) for line in lines)


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a row per claim, halved where it has two readings, and a column per model.

    A claim about all models spans all columns.

    Args:
        frame: as ``table`` returns it.
    """
    use_style()
    models = [name for name in dict.fromkeys(frame["model"]) if name != WHOLE_STUDY]
    claims = list(dict.fromkeys(frame["claim"]))
    figure = Figure(figsize=(4.1 + 1.6 * len(models), 0.72 * len(claims) + 1.1), layout="constrained")
    axes = figure.subplots()
    for (claim, model), rows in frame.groupby(["claim", "model"], sort=False):
        whole = model == WHOLE_STUDY
        x = (len(models) - 1) / 2 if whole else models.index(model)
        height = 1 / len(rows)
        for number, row in enumerate(rows.itertuples(index=False)):
            middle = claims.index(claim) - 0.5 + (number + 0.5) * height
            _cell(axes, x, middle, len(models) if whole else 1, height, row)
    axes.hlines(
        [number + 0.5 for number in range(len(claims) - 1)], -0.5, len(models) - 0.5, color="0.3", linewidth=0.8
    )
    axes.set_yticks(range(len(claims)), [_words(frame[frame["claim"] == name]) for name in claims])
    axes.tick_params(axis="y", length=0, labelsize=6)
    axes.set_xticks(range(len(models)), models)
    axes.tick_params(axis="x", length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xlim(-0.5, len(models) - 0.5)
    axes.set_ylim(len(claims) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    width = 30 * (len(models) + 2)
    figure.supxlabel("\n".join(textwrap.fill(line, width) for line in LEGEND), fontsize=6.5, x=0.01, ha="left")
    return figure


def _decisive(row: Mapping[str, Any]) -> str:
    """Return in words what decides a verdict: the first contrast that says the same, or the numbers of all sizes."""
    if row["model"] is None:
        numbers = (interval(size["mean"], size["low"], size["high"], "drop", True) for size in row["evidence"])
        sizes = (
            f"{size['model']} {number}, {sized(size)}" for size, number in zip(row["evidence"], numbers, strict=True)
        )
        return "; ".join((*([row["note"]] if row["note"] else []), *sizes))
    piece = next(piece for piece in row["evidence"] if piece["outcome"] == row["verdict"])
    if "facts" in piece:
        return contrast(piece)
    return f"{compared(piece)}: {piece.get('why', 'no summary has it')}"


def caption(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Return the caption's numbers: how many claims hold in each model, and what decides each verdict.

    Of models that are combined over seeds, it states what decides the verdict of the combination alone.

    Args:
        verdicts: the rows of verdicts.json.
    """
    counts = []
    for model, reading in dict.fromkeys((row["model"], row["reading"]) for row in verdicts if row["model"]):
        found = [row["verdict"] for row in verdicts if (row["model"], row["reading"]) == (model, reading)]
        counts.append(
            f"{model}, {reading} reading: of {len(found)} claims "
            + ", ".join(f"{found.count(verdict)} {verdict}" for verdict in VERDICT_LOOKS)
        )
    blocks = [bullets(counts)]
    for name, text in sorted({(row["claim"], row["text"]) for row in verdicts}):
        rows = (row for row in verdicts if row["claim"] == name and not row.get("combined_in"))
        blocks.append(f"**{name}**: {restructuredtext(text)}.\n")
        blocks.append(
            bullets(
                f"{row['model'] or WHOLE_STUDY}, {row['reading']}, {row['compares']}: "
                f"{row['verdict']}. {_decisive(row)}"
                for row in rows
            )
        )
    return "\n".join(blocks)


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: flags.Pdf) -> None:
    """Draw the figure from the stored verdicts."""
    rows = read_json(verdicts)["verdicts"]
    frame = table(rows)
    save(draw(frame), frame, output, caption(rows))
