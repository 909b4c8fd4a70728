"""Which answers mean the same."""

from __future__ import annotations

import pandas as pd
import pytest

from dkn.facts.same_answers import SameAnswers, folded

FACTS = pd.DataFrame(
    {
        "answers": [["United States of America", "US"], ["USA"], ["usa"], ["Germany"], ["Georgia"], ["Georgia"]],
        "answer_ids": [["Q30", ""], ["Q30"], [""], ["Q183"], ["Q230"], ["Q1428"]],
    }
)
NAMES = ["United States of America", "US", "USA", "usa", "Germany", "Georgia", "GERMANY", "Peru"]


@pytest.mark.parametrize(
    ("accepted", "others"),
    [
        (["USA"], ["US", "Germany", "Georgia", "GERMANY", "Peru"]),
        (["usa"], ["US", "Germany", "Georgia", "GERMANY", "Peru"]),
        (["US"], ["United States of America", "USA", "usa", "Germany", "Georgia", "GERMANY", "Peru"]),
        (["germany", "US"], ["United States of America", "USA", "usa", "Georgia", "Peru"]),
        ([], NAMES),
    ],
)
def test_names_and_ids_tell_which_answers_differ(accepted: list[str], others: list[str]) -> None:
    assert SameAnswers(FACTS).others(NAMES, accepted) == others


def test_capitals_and_unicode_forms_do_not_tell_names_apart() -> None:
    assert folded("STRASSE") == folded("straße")
    assert folded("PELÉ") == folded("pele\u0301")
