"""Saving a table as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from dkn.storage.files import atomic_file

NOTHING = "–"


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A longtable with booktabs' rules from a table of text; a label of the index stands where it changes.

    Args:
        table: rows named by its index, cells of text or missing.
        caption, label: of the table; the caption is text, as the cells are.
    """
    names = table.index.to_frame(index=False)
    repeated = names.eq(names.shift()).cumprod(axis=1).astype(bool)
    frame = pd.concat([names.mask(repeated, ""), table.reset_index(drop=True)], axis=1)
    styler = frame.style.format(escape="latex", na_rep="--").format_index(escape="latex", axis=1).hide(axis="index")
    styler.format(lambda text: re.sub(r"(?<![\w-])-(?=\d)", "$-$", text), list(table), escape="latex", na_rep="--")
    return styler.to_latex(
        environment="longtable",
        column_format="l" * names.shape[1] + "r" * table.shape[1],
        hrules=True,
        caption=re.sub(r"([%&#_$])", r"\\\1", caption),
        label=label,
    )


def markdown(table: pd.DataFrame) -> str:
    """The same table in Markdown, every row with all its labels."""
    names = ["left"] * table.index.nlevels + ["right"] * table.shape[1]
    return table.reset_index().fillna(NOTHING).to_markdown(index=False, disable_numparse=True, colalign=names) + "\n"


def save(table: pd.DataFrame, wide: pd.DataFrame, caption: str, csv: Path) -> None:
    """Write the CSV, a row per number, and beside it what people read, in Markdown and LaTeX.

    Args:
        table: the CSV's columns.
        wide: the same as text, as ``latex`` takes it.
        caption: of the LaTeX table.
        csv: the file; the others have its name.
    """
    with atomic_file(csv) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    with atomic_file(csv.with_suffix(".md")) as path:
        path.write_text(markdown(wide))
    with atomic_file(csv.with_suffix(".tex")) as path:
        path.write_text(latex(wide, caption, f"tab:{csv.stem.replace('_', '-')}"))
