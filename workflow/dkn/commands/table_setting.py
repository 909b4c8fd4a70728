"""Table of one of the paper's settings: estimates with intervals and contrasts, by model and condition."""

from typing import Annotated

from typer import Option

from dkn.commands._flags import ConfidenceFlag, ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries, stored_summaries
from dkn.commands._tables import save
from dkn.errors import UserError
from dkn.paper_tables import TABLES, long_table, wide_table


def main(
    setting: Annotated[str, Option(help="The setting's name.")],
    model: FoldersFlag,
    experiment: ExperimentsFlag,
    confidence: ConfidenceFlag,
    output: OutputFlag,
) -> None:
    """Write the CSV, a row per number, and beside it Markdown and LaTeX with a row per model and condition."""
    if setting not in TABLES:
        raise UserError(f"unknown setting {setting!r}; allowed: {', '.join(TABLES)}")
    read = read_summaries if setting == "degeneracy" else stored_summaries
    table = long_table(setting, {folder.name: read(folder, experiment) for folder in model})
    caption = (
        f"{TABLES[setting].title}. Means over n facts with {100 * confidence:g} % intervals (bootstrap over subjects); "
        "p: sign flips over subjects, adjusted by Holm. D: degenerate knowledge neurons, N: knowledge neurons."
    )
    save(table, wide_table(table), caption, output)
