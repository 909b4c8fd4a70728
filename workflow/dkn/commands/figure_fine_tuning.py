"""Figure fine-tuning: accuracies over epochs and at the chosen one, and what the training cost."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import PdfFlag
from dkn.figures.fine_tuning import draw, table
from dkn.headlines import of_experiments
from dkn.io import read_json


def main(
    experiment: Annotated[list[Path], Option(help="Folder of a fine-tuning experiment; repeatable.")],
    output: PdfFlag,
) -> None:
    """Draw from stored summaries and from what the training cost."""
    summaries = [read_json(folder / "summary.json") for folder in experiment]
    trainings = [read_json(folder / "training.json") for folder in experiment]
    save(draw(summaries, trainings), table(summaries, trainings), output, of_experiments(summaries))
