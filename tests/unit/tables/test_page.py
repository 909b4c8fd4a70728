"""Tables in Markdown as pages."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

from dkn.plain_text import one_line
from dkn.tables.page import page
from dkn.tables.saving import markdown
from tests.unit.hostile_texts import CASES

MARKDOWN = """Two models.

| model | n | what <is> said |
|---|---:|---|
| a & b | 1,104 | 2.1 (1.7 … 2.5) |
| c | 3 | x \\| y |
"""


class Cells(HTMLParser):
    """The rows of a page's table, each cell with its class and text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str | None, str]]] = []
        self.outside = ""
        self._look: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._look, self._text = dict(attrs).get("class"), ""

    def handle_data(self, data: str) -> None:
        if self._text is None:
            self.outside += data
        else:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.rows[-1].append((self._look, self._text or ""))
            self._text = None


def test_a_page_holds_every_cell_where_it_belongs() -> None:
    found = Cells()
    found.feed(page(MARKDOWN, "facts & models", "Counts < 5 are counts."))
    assert found.rows == [
        [(None, "model"), ("right", "n"), (None, "what <is> said")],
        [(None, "a & b"), ("right", "1,104"), (None, "2.1 (1.7 … 2.5)")],
        [(None, "c"), ("right", "3"), (None, "x | y")],
    ]
    for said in ("Two models.", "Facts & models", "Counts < 5 are counts."):
        assert said in found.outside


@pytest.mark.parametrize("text", CASES)
def test_text_from_outside_is_text_in_a_page(text: str) -> None:
    found = Cells()
    frame = pd.DataFrame({"n": [text]}, index=pd.Index([text], name=f"label {text}"))
    found.feed(page(markdown(frame), f"t {text}", text))
    line = one_line(text)
    assert found.rows == [[(None, one_line(f"label {text}")), ("right", "n")], [(None, line), ("right", line)]]
    assert found.outside.count(one_line(f"T {text}")) >= 2


def test_a_page_fetches_nothing() -> None:
    text = page(MARKDOWN, "t", "n")
    assert "http" not in text
    assert "src=" not in text
