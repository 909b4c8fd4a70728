"""Read the tables of a text in Markdown, as ``dkn.tables.saving`` wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dkn import plain_text


@dataclass(frozen=True)
class Cells:
    """One table as plain text.

    Attributes:
        header: the names of the columns.
        right: for each column, whether it is aligned to the right; such columns hold numbers, the others labels.
        rows: the rows, each with a cell per column.
    """

    header: list[str]
    right: list[bool]
    rows: list[list[str]]


def _cells(line: str) -> list[str]:
    """Return the cells of one line of a table as plain text; an escaped bar belongs to its cell."""
    return [plain_text.from_markdown(cell.strip()) for cell in re.findall(r"((?:\\.|[^\\|])*)\|", line.strip()[1:])]


def blocks(markdown: str) -> Iterator[Cells | str]:
    """Yield the tables and the paragraphs of a text in Markdown, in their order.

    Raises:
        ValueError: a row of a table has another number of cells than its header.
    """
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = block.strip().splitlines()
        if len(lines) < 2 or not all(line.lstrip().startswith("|") for line in lines):
            yield " ".join(lines)
            continue
        header, rule, *rows = map(_cells, lines)
        if any(len(row) != len(header) for row in (rule, *rows)):
            raise ValueError(f"a row of the table has another number of cells than {', '.join(header)}")
        yield Cells(header, [cell.endswith(":") and not cell.startswith(":") for cell in rule], rows)
