"""Save a table as CSV, Markdown and LaTeX, with the checksums of these files."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from dkn import plain_text
from dkn.storage.checked_texts import write_checksums
from dkn.storage.files import atomic_file

NOTHING = "–"  # in the Markdown table, for a missing value
NOTHING_IN_LATEX = "--"
NO_ROWS = "nothing to state: no fact is left"


def _in_latex(cell: object) -> str:
    """Return a cell in LaTeX, with signs of negative numbers instead of hyphens, and dots between bounds."""
    text = NOTHING_IN_LATEX if pd.isna(cell) else plain_text.latex(str(cell))
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", text).replace(" … ", r" \ldots{} ")


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """Return a table of text as a LaTeX ``longtable`` with the rules of ``booktabs``.

    Args:
        table: cells of text or missing values; the index holds the labels of the rows. A label that repeats that of the
            row above is left out. All text is plain text.
        caption: the caption, as plain text.
        label: the name by which LaTeX refers to the table.
    """
    names = table.index.to_frame(index=False)
    repeated = names.eq(names.shift()).cumprod(axis=1).astype(bool)
    labels = names.mask(repeated, "").map(lambda label: plain_text.latex(str(label)))
    frame = pd.concat([labels, table.reset_index(drop=True).map(_in_latex)], axis=1)
    frame = frame.rename(columns=lambda column: plain_text.latex(str(column)))
    return frame.style.hide(axis="index").to_latex(
        environment="longtable",
        column_format="l" * names.shape[1] + "r" * table.shape[1],
        hrules=True,
        caption=plain_text.latex(caption),
        label=label,
    )


def markdown(table: pd.DataFrame) -> str:
    """Return a table of plain text in Markdown, with all labels of the index in every row."""
    names = ["left"] * table.index.nlevels + ["right"] * table.shape[1]
    frame = table.reset_index().map(lambda cell: NOTHING if pd.isna(cell) else plain_text.markdown(str(cell)))
    frame = frame.rename(columns=lambda column: plain_text.markdown(str(column)))
    return frame.to_markdown(index=False, disable_numparse=True, colalign=names) + "\n"


def with_a_row(wide: pd.DataFrame) -> pd.DataFrame:
    """Return a table for readers; if it has no rows, it gets one that says that there is nothing to state."""
    if len(wide):
        return wide
    labels = [NO_ROWS, *[""] * (wide.index.nlevels - 1)]
    index = pd.MultiIndex.from_tuples([tuple(labels)], names=wide.index.names)
    return pd.DataFrame(None, index=index, columns=wide.columns, dtype=object)


def save(table: pd.DataFrame, wide: pd.DataFrame, caption: str, csv: Path) -> None:
    """Write a table for programs as CSV, and beside it the one for readers in Markdown and LaTeX, and checksums.

    Args:
        table: the table for programs; without rows it still has its columns.
        wide: the table for readers: cells of text or missing values, and labels in the index.
        caption: the caption of the LaTeX table.
        csv: the CSV to write; the other files have the same name with another suffix.
    """
    with atomic_file(csv) as path:
        table.to_csv(path, index=False, float_format="%.6g", encoding="utf-8")
    wide, label = with_a_row(wide), f"tab:{csv.stem.replace('_', '-')}"
    texts = {".md": markdown(wide), ".tex": latex(wide, caption, label)}
    for suffix, text in texts.items():
        with atomic_file(csv.with_suffix(suffix)) as path:
            path.write_text(text, encoding="utf-8")
    write_checksums([csv, *map(csv.with_suffix, texts)])
