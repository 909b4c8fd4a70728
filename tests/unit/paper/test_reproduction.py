"""Outcomes of studies: the numbers of all tables in one shape, and how two outcomes compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.paper.reproduction import (
    DEPARTS,
    EQUAL,
    MISSING,
    NUMBERS,
    WITHIN,
    compared_numbers,
    compared_verdicts,
    differing,
    numbers_of,
    sentence,
    verdicts_of,
)

ROW = {"table": "t", "model": "m", "what": "D", "measure": "drop", "experiment": "e", "part": "estimates", "facts": 9}


def numbers(**values: tuple[float, float, float]) -> pd.DataFrame:
    """Numbers with their intervals, each of a measure of its own."""
    rows = [
        {**ROW, "measure": measure, "value": value, "low": low, "high": high}
        for measure, (value, low, high) in values.items()
    ]
    return pd.DataFrame(rows, columns=NUMBERS)


def test_a_table_of_a_setting_keeps_its_labels() -> None:
    table = pd.DataFrame(
        {"model": "m", "query": "Q*", "neurons": ["D", None], "measure": "drop", "experiment": "e", "part": "estimates"}
        | {"metric": "drop", "value": [0.5, np.nan], "low": 0.4, "high": 0.6, "p": np.nan, "facts": 9, "subjects": 8}
    )
    (row,) = numbers_of("suppression", table).to_dict("records")
    assert row == {**ROW, "table": "suppression", "what": "Q*; D", "value": 0.5, "low": 0.4, "high": 0.6}


def test_the_funnels_counts_are_numbers_without_an_interval() -> None:
    table = pd.DataFrame({"model": "m", "grouping": "ntc", "step": ["facts", "known"], "facts": [1104, 746]})
    found = numbers_of("funnel", table)
    assert list(found["what"]) == ["ntc; facts", "ntc; known"]
    assert list(found["value"]) == [1104, 746]
    assert found["low"].isna().all()


@pytest.mark.parametrize(
    ("kept", "here", "expected"),
    [
        ((0.5, 0.4, 0.6), 0.5, EQUAL),
        ((0.5, 0.4, 0.6), 0.500001, EQUAL),
        ((0.5, 0.4, 0.6), 0.5001, WITHIN),
        ((0.5, 0.4, 0.6), 0.6, WITHIN),
        ((0.5, 0.4, 0.6), 0.601, DEPARTS),
        ((-0.1, -0.2, -0.05), 0.1, DEPARTS),
        ((0.0, 0.0, 0.0), 0.0, EQUAL),
        ((0.0, 0.0, 0.0), 0.001, DEPARTS),
        ((746.0, np.nan, np.nan), 746, EQUAL),
        ((746.0, np.nan, np.nan), 780, WITHIN),
        ((746.0, np.nan, np.nan), 700, DEPARTS),
        ((746.0, np.nan, np.nan), np.nan, MISSING),
    ],
)
def test_a_number_is_equal_within_or_departs(kept: tuple[float, float, float], here: float, expected: str) -> None:
    assert list(compared_numbers(numbers(a=kept), numbers(a=(here, 0.0, 9.0)))["outcome"]) == [expected]


def test_what_departs_most_comes_first() -> None:
    kept = numbers(a=(0.5, 0.4, 0.6), b=(0.5, 0.4, 0.6), c=(0.5, 0.0, 0.6), d=(0.5, 0.4, 0.6), gone=(1.0, 0.0, 2.0))
    here = numbers(a=(0.5, 0, 0), b=(0.7, 0, 0), c=(0.8, 0, 0), d=(0.55, 0, 0), new=(1.0, 0, 2))
    found = compared_numbers(kept, here)
    assert list(found["measure"])[2:] == ["b", "c", "d", "a"]
    assert set(found["measure"][:2]) == {"gone", "new"}
    assert list(found["outcome"]) == [MISSING, MISSING, DEPARTS, DEPARTS, WITHIN, EQUAL]


def test_verdicts_that_differ_are_listed() -> None:
    rows: list[dict[str, Any]] = [
        {"claim": "C1", "reading": "primary", "model": "m", "verdict": "supported", "evidence": []},
        {"claim": "C8", "reading": "primary", "model": None, "verdict": "not run", "evidence": []},
    ]
    kept, here = verdicts_of(rows), verdicts_of([{**rows[0], "verdict": "inconclusive"}])
    assert not len(compared_verdicts(kept, kept))
    found = compared_verdicts(kept, here).to_dict("records")
    assert [(row["claim"], row["model"], row["verdict"], row["verdict_here"]) for row in found] == [
        ("C1", "m", "supported", "inconclusive"),
        ("C8", "all models", "not run", MISSING),
    ]


def test_settings_that_differ_are_named_with_their_sections() -> None:
    kept = {"seed": 0, "facts": {"most": None, "sources": [1]}, "only": 1}
    assert differing(kept, kept) == []
    here = {"seed": 1, "facts": {"most": 5, "sources": [1]}, "new": {"a": 1}}
    assert differing(kept, here) == ["seed", "facts.most", "only", "new"]


def test_one_sentence_says_whether_a_run_reproduces_its_reference() -> None:
    kept = numbers(a=(0.5, 0.4, 0.6), b=(0.5, 0.4, 0.6))
    none, two = pd.DataFrame(), pd.DataFrame({"claim": ["C1", "C2"]})
    within = compared_numbers(kept, numbers(a=(0.5, 0, 0), b=(0.55, 0, 0)))
    assert sentence("own", within, none, 24) == (
        "This run reproduces the reference 'own': 1 of 2 numbers are equal to six digits, 1 lie within the reference's "
        "intervals, all 24 verdicts are equal."
    )
    departs = compared_numbers(kept, numbers(a=(0.5, 0, 0), b=(0.9, 0, 0)))
    assert "does not reproduce" in sentence("own", departs, none, 24)
    assert "2 of 24 verdicts differ" in (said := sentence("own", within, two, 24))
    assert "does not reproduce" in said
    assert "does not reproduce" in sentence("own", compared_numbers(kept, kept.head(1)), none, 24)
