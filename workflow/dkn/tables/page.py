"""A Markdown table as an HTML page, which is one file that fetches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags, plain_text
from dkn.storage.checked_texts import read_checked
from dkn.storage.files import atomic_file
from dkn.tables.reading import Cells, blocks

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; color: #1a1a1a; margin: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 0.25rem; } p { margin: 0.25rem 0 0.75rem; max-width: 60rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: #f3f4f6; } .right { text-align: right; }
tr:hover td { background: #f8fafc; }
"""


def _table(table: Cells) -> str:
    """Return one table in HTML."""
    classes = [' class="right"' if right else "" for right in table.right]

    def row(cells: list[str], tag: str) -> str:
        return "".join(
            f"<{tag}{attribute}>{plain_text.html(cell)}</{tag}>" for cell, attribute in zip(cells, classes, strict=True)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in table.rows)
    return f"<table>\n<thead><tr>{row(table.header, 'th')}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def page(markdown: str, title: str, note: str) -> str:
    """Return a text as an HTML page.

    Args:
        markdown: the text, which consists of tables and paragraphs in Markdown.
        title: the title of the page, whose first letter becomes a capital.
        note: a paragraph that stands below the title.
    """
    title = title[:1].upper() + title[1:]
    elements = [
        _table(block) if isinstance(block, Cells) else f"<p>{plain_text.html(block)}</p>\n"
        for block in blocks(markdown)
    ]
    head = f'<meta charset="utf-8"><title>{plain_text.html(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n<h1>{plain_text.html(title)}</h1>\n'
        f"<p>{plain_text.html(note)}</p>\n{''.join(elements)}</body></html>\n"
    )


def main(
    table: Annotated[Path, Option(help="A table in Markdown.")],
    title: Annotated[str, Option(help="What the table shows.")],
    note: Annotated[str, Option(help="What a reader must know to understand the table.")],
    output: flags.Output,
) -> None:
    """Write a Markdown table as an HTML page."""
    with atomic_file(output) as path:
        path.write_text(page(read_checked(table), title, note), encoding="utf-8")
