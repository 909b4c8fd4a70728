"""Figure groupings: partial and full drop by grouping, and drop against the number of suppressed neurons."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._figures import save
from dkn.figures.groupings import caption, draw, table
from dkn.io import read_json


def main(
    summary: Annotated[list[Path], Option(help="A model's and grouping's summary.json; repeatable.")],
    output: Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")],
) -> None:
    """Draw from stored summaries."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, caption(summaries))
