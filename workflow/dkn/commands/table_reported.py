"""Table reported: the paper's numbers beside this study's."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._flags import ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries
from dkn.io import atomic_file
from dkn.reported import markdown, side_by_side


def main(
    reported: Annotated[Path, Option(help="reported_results.yaml")],
    model: FoldersFlag,
    experiment: ExperimentsFlag,
    output: OutputFlag,
) -> None:
    """Write the CSV, a row per quantity and model, and beside it in Markdown a row per quantity."""
    table = side_by_side(reported, {folder.name: read_summaries(folder, experiment) for folder in model})
    with atomic_file(output) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    with atomic_file(output.with_suffix(".md")) as path:
        path.write_text(markdown(table))
