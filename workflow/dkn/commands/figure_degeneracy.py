"""Figure degeneracy: drop in Prob against the number of suppressed components."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._figures import save
from dkn.figures.degeneracy import draw, table
from dkn.headlines import of_experiments
from dkn.io import read_json


def main(
    summary: Annotated[list[Path], Option(help="A model's summary.json; repeatable.")],
    output: Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")],
) -> None:
    """Draw from stored summaries."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, of_experiments(summaries))
