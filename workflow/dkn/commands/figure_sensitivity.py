"""Figure sensitivity: coverage and the degeneracy gap beyond the control over the grid of settings."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.figures.sensitivity import caption, draw


def main(
    table: Annotated[Path, Option(help="sensitivity.csv")],
    output: Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")],
) -> None:
    """Draw from the stored table."""
    frame = pd.read_csv(table)
    save(draw(frame), frame, output, caption(frame))
