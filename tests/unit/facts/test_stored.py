"""Stored facts, joined with what a model knows of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.facts.stored import study_facts
from dkn.storage.files import write_table
from dkn.storage.schemas import FACTS, KNOWN


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Path]:
    """Tables of four facts, of which the model knows three; the second has them in another order."""
    text = dict.fromkeys(FACTS.names, "text")
    texts = {name: [["text"]] * 4 for name in ("answers", "answer_ids", "paraphrases")}
    facts = pd.DataFrame({**text, **texts, "fact_id": ["clear", "plain", "alone", "unasked"], "date": None})
    numbers = dict.fromkeys(KNOWN.names, 1)
    asked = {"fact_id": ["unasked", "alone", "plain", "clear"], "known": [False, True, True, True], "answer": "Paris"}
    write_table(tmp_path / "facts.parquet", facts, FACTS, {})
    write_table(tmp_path / "known.parquet", pd.DataFrame({**numbers, **asked}), KNOWN, {})
    return tmp_path / "facts.parquet", tmp_path / "known.parquet"


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("known", ["clear", "plain", "alone"]),
        ("unknown", ["unasked"]),
        ("all", ["clear", "plain", "alone", "unasked"]),
    ],
)
def test_facts_come_with_the_models_answer_in_their_own_order(
    stored: tuple[Path, Path], which: str, expected: list[str]
) -> None:
    found = study_facts(*stored, which)
    assert list(found.index) == list(found["fact_id"]) == expected
    assert set(found.columns) == {*FACTS.names, *KNOWN.names}
    assert set(found["answer"]) == {"Paris"}


def test_facts_may_be_asked_in_the_wording_of_their_source(stored: tuple[Path, Path], tmp_path: Path) -> None:
    """The column ``prompt`` alone is another one."""
    queries = ["Jane plays for _X_.", "_X_ is the chair of the Guild.", "The capital of France is _X_.", "_X_ is here."]
    facts = pd.read_parquet(stored[0]).assign(query=queries)
    write_table(tmp_path / "facts.parquet", facts, FACTS, {})
    asked = study_facts(*stored, "all")
    assert list(asked["prompt"]) == ["text"] * 4
    found = study_facts(*stored, "all", "original")
    assert list(found["prompt"]) == ["Jane plays for", queries[1], "The capital of France is", queries[3]]
    assert found.drop(columns="prompt").equals(asked.drop(columns="prompt"))
    known = study_facts(*stored, "known", wording="original")
    assert known.equals(found[found["known"]])


def test_an_unknown_wording_is_named(stored: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="unknown wording 'question'; allowed: left-to-right, original"):
        study_facts(*stored, "all", "question")
