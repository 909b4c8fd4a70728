"""Tables in Markdown as pages: one file, nothing fetched."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.storage.files import atomic_file

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; color: #1a1a1a; margin: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 0.25rem; } p { margin: 0.25rem 0 0.75rem; max-width: 60rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: #f3f4f6; } .right { text-align: right; }
tr:hover td { background: #f8fafc; }
"""


def _cells(line: str) -> list[str]:
    """The cells of one line; a bar that is escaped is part of its cell."""
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def _table(lines: list[str]) -> str:
    """One table: a header, a line that says which columns stand to the right, and rows."""
    header, rule, *rows = map(_cells, lines)
    looks = [' class="right"' if cell.endswith(":") and not cell.startswith(":") else "" for cell in rule]

    def row(cells: list[str], tag: str) -> str:
        return "".join(f"<{tag}{look}>{escape(cell)}</{tag}>" for cell, look in zip(cells, looks, strict=True))

    body = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in rows)
    return f"<table>\n<thead><tr>{row(header, 'th')}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def page(markdown: str, title: str, note: str) -> str:
    """A page with a title, a note, and the tables and paragraphs of a text in Markdown, in their order."""
    title = title[:1].upper() + title[1:]
    parts = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = block.strip().splitlines()
        is_table = len(lines) > 1 and all(line.lstrip().startswith("|") for line in lines)
        parts.append(_table(lines) if is_table else f"<p>{escape(' '.join(lines))}</p>\n")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n<h1>{escape(title)}</h1>\n'
        f"<p>{escape(note)}</p>\n{''.join(parts)}</body></html>\n"
    )


def main(
    table: Annotated[Path, Option(help="A table in Markdown.")],
    title: Annotated[str, Option(help="What the table shows.")],
    note: Annotated[str, Option(help="What must be known to read it.")],
    output: flags.Output,
) -> None:
    """Write the page."""
    with atomic_file(output) as path:
        path.write_text(page(table.read_text(), title, note))
