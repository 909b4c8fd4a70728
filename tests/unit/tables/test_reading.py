"""Tables in Markdown, read again."""

from __future__ import annotations

import pandas as pd
import pytest

from dkn.plain_text import one_line
from dkn.tables.reading import Cells, blocks
from dkn.tables.saving import NOTHING, markdown
from tests.unit.hostile_texts import CASES


def test_a_text_is_tables_and_paragraphs() -> None:
    found = list(blocks("Two\nmodels.\n\n| a | n |\n|:--|---:|\n| x \\| y | 1,104 |\n\nThe end."))
    assert found == ["Two models.", Cells(["a", "n"], [False, True], [["x | y", "1,104"]]), "The end."]


def test_any_text_comes_back_from_a_written_table() -> None:
    """But for white space at its ends, and an empty cell says that there is nothing."""
    table = pd.DataFrame({"name": CASES, "value": [None, *CASES[1:]]}, dtype=object).set_index("name")
    (found,) = blocks(markdown(table))
    assert isinstance(found, Cells)
    assert found.header == ["name", "value"]
    assert found.right == [False, True]
    values = [one_line(text).strip() for text in CASES]
    assert found.rows == [[text, text if place else NOTHING] for place, text in enumerate(values)]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="another number of cells than a, n"):
        list(blocks("| a | n |\n|---|---|\n| 1 |"))
