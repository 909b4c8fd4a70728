"""Save a figure with its table and its caption's numbers."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from dkn.storage.files import atomic_file


def save(figure: Figure, table: pd.DataFrame, pdf: Path, numbers: str) -> None:
    """Write a figure as PDF, and beside it as PNG, its table as CSV and its caption's numbers in reStructuredText.

    The files hold no dates, so that equal runs give equal files.

    Args:
        figure: the figure.
        table: what the figure shows.
        pdf: the PDF to write; the other files have the same name with another suffix.
        numbers: the numbers of the caption.
    """
    with atomic_file(pdf) as path:
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})
    with atomic_file(pdf.with_suffix(".png")) as path:
        figure.savefig(path, format="png")
    with atomic_file(pdf.with_suffix(".csv")) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    with atomic_file(pdf.with_suffix(".rst")) as path:
        path.write_text(numbers, encoding="utf-8")
