"""Figure reported: the paper's numbers beside this study's."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.reported import caption, draw


def main(table: Annotated[Path, Option(help="reported.csv")], output: PdfFlag) -> None:
    """Draw from the stored table."""
    frame = pd.read_csv(table)
    save(draw(frame), frame, output, caption(frame))
