"""A table in Markdown as a page that opens by itself, for the report."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._flags import OutputFlag
from dkn.io import atomic_file
from dkn.table_pages import page


def main(
    table: Annotated[Path, Option(help="A table in Markdown.")],
    title: Annotated[str, Option(help="What the table shows.")],
    note: Annotated[str, Option(help="What must be known to read it.")],
    output: OutputFlag,
) -> None:
    """Write the page."""
    with atomic_file(output) as path:
        path.write_text(page(table.read_text(), title, note))
