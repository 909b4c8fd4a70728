"""Figure complexity: every setting's main number against model size."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.complexity import caption, draw
from dkn.io import read_json


def main(complexity: Annotated[Path, Option(help="complexity.json")], output: PdfFlag) -> None:
    """Draw from the stored table."""
    content = read_json(complexity)
    frame = pd.DataFrame(content["rows"])
    save(draw(frame, content["note"]), frame, output, caption(frame, content["note"]))
