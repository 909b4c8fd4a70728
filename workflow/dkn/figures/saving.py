"""Saving a figure with its table."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from dkn.storage.files import atomic_file


def save(figure: Figure, table: pd.DataFrame, pdf: Path, numbers: str) -> None:
    """Write ``pdf``, and beside it the PNG, the CSV of what the figure shows, and the numbers of its caption (RST).

    Without dates, so equal runs agree.
    """
    with atomic_file(pdf) as path:
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})
    with atomic_file(pdf.with_suffix(".png")) as path:
        figure.savefig(path, format="png")
    with atomic_file(pdf.with_suffix(".csv")) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    with atomic_file(pdf.with_suffix(".rst")) as path:
        path.write_text(numbers)
