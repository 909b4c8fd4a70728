"""Save a table as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from dkn.storage.files import atomic_file

NOTHING = "–"  # in the Markdown table, for a missing value


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """Return a table of text as a LaTeX ``longtable`` with the rules of ``booktabs``.

    Args:
        table: cells of text or missing values; the index holds the labels of the rows. A label that repeats that of the
            row above is left out.
        caption: the caption, as plain text.
        label: the name by which LaTeX refers to the table.
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
    """Return a table of text in Markdown, with all labels of the index in every row."""
    names = ["left"] * table.index.nlevels + ["right"] * table.shape[1]
    return table.reset_index().fillna(NOTHING).to_markdown(index=False, disable_numparse=True, colalign=names) + "\n"


def save(table: pd.DataFrame, wide: pd.DataFrame, caption: str, csv: Path) -> None:
    """Write a table for programs as CSV, and the one for readers beside it in Markdown and LaTeX.

    Args:
        table: the table for programs.
        wide: the table for readers: cells of text or missing values, and labels in the index.
        caption: the caption of the LaTeX table.
        csv: the CSV to write; the other files have the same name with another suffix.
    """
    with atomic_file(csv) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    with atomic_file(csv.with_suffix(".md")) as path:
        path.write_text(markdown(wide))
    with atomic_file(csv.with_suffix(".tex")) as path:
        path.write_text(latex(wide, caption, f"tab:{csv.stem.replace('_', '-')}"))
