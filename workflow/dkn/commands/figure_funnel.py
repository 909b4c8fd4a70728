"""Figure funnel: facts left at every step, per model and grouping."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.funnel import caption, draw


def main(
    funnel: Annotated[Path, Option(help="funnel.csv: model, grouping, step, facts.")],
    output: PdfFlag,
) -> None:
    """Draw from the stored table."""
    frame = pd.read_csv(funnel)
    save(draw(frame), frame, output, caption(frame))
