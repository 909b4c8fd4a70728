"""Table ``audit``: what each departure of the released code changes, in every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn import flags
from dkn.audit.stored import SHORT, comparison_table, read_audits, verdict_changes
from dkn.summaries.wording import bracketed, missing
from dkn.tables.saving import save

DIRECTIONS = {
    "flipped": "text, this one as released",
    "mended": "released, this one as in the text",
    "step": "step of the path from text to released",
}


def in_points(number: Mapping[str, Any]) -> str | None:
    """Return a change in points, with its interval in brackets where there is one; None where it is undefined."""
    value, low, high = (number[name] for name in ("value", "low", "high"))
    return None if missing(value) else bracketed(value, low, high, "drop")


def wide_table(audits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table for readers: a row per comparison, and a column of text per number.

    Args:
        audits: as ``audit.stored.read_audits`` returns them.
    """
    rows, labels = [], []
    for audit in audits:
        for comparison in audit["comparisons"]:
            labels.append((audit["model"], DIRECTIONS[comparison["direction"]], comparison["switch"]))
            before, after = comparison["counts_before"], comparison["counts_after"]
            likeness = comparison["jaccard"]
            row = {
                "KN Jaccard": None if likeness is None or likeness != likeness else f"{likeness:.2f}",
                "facts with a DKN": f"{before['with_dkn']} → {after['with_dkn']}",
                "with two BDCs": f"{before['degenerate']} → {after['degenerate']}",
            }
            row |= {SHORT[name]: in_points(number) for name, number in comparison["numbers"].items()}
            rows.append({**row, "verdicts that change": "; ".join(verdict_changes(comparison))})
    index = pd.MultiIndex.from_tuples(labels, names=["model", "compared", "switch"])
    return pd.DataFrame(rows, index=index)


def main(
    audit: Annotated[list[Path], Option(help="audit.json of a model; repeatable.")],
    confidence: flags.Confidence,
    output: flags.Csv,
) -> None:
    """Write the CSV with a row per model and comparison, and the same table in Markdown and LaTeX beside it."""
    audits = read_audits(audit)
    table = comparison_table(audits)
    samples = ", ".join(f"{of['model']} {of['sample']} facts, of which it knows {of['known']}" for of in audits)
    caption = (
        "What each departure of the released code changes. Changes are in points (hundredths), after minus before; "
        f"{100 * confidence:g} % bootstrap intervals over subjects, which are not adjusted for the number of switches. "
        f"Sample: {samples}."
    )
    save(table, wide_table(audits), caption, output)
    print(f"{len(table)} comparisons of {len(audits)} models")
