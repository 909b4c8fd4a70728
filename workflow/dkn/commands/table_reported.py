"""Table reported: the paper's numbers beside this study's."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._flags import ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries
from dkn.commands._tables import save
from dkn.reported import side_by_side, wide_table


def main(
    reported: Annotated[Path, Option(help="reported_results.yaml")],
    model: FoldersFlag,
    experiment: ExperimentsFlag,
    output: OutputFlag,
) -> None:
    """Write the CSV, a row per quantity and model, and beside it in Markdown and LaTeX a row per quantity."""
    table = side_by_side(reported, {folder.name: read_summaries(folder, experiment) for folder in model})
    caption = "The paper's numbers beside this study's own, which have bootstrap intervals over subjects."
    save(table, wide_table(table), caption, output)
