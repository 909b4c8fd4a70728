"""Figures suppression and enhancement: neuron sets on the query and on perturbed queries."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.perturbation import draw, table
from dkn.headlines import of_experiments
from dkn.io import read_json


def main(
    summary: Annotated[
        list[Path], Option(help="A model's and intervention's summary.json, of one setting; repeatable.")
    ],
    output: PdfFlag,
) -> None:
    """Draw from stored summaries."""
    summaries = [read_json(path) for path in summary]
    save(draw(summaries), table(summaries), output, of_experiments(summaries))
