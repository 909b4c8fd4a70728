"""Figure verdicts: a grid of claims and models."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.verdicts import caption, draw, table
from dkn.io import read_json


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: PdfFlag) -> None:
    """Draw from the stored table."""
    rows = read_json(verdicts)["verdicts"]
    frame = table(rows)
    save(draw(frame), frame, output, caption(rows))
