"""The findings in words: the headline, both sides of every verdict, and what was not judged."""

from __future__ import annotations

import pytest

from dkn.pages.findings import SIDES, cell, claims, headline, listed, meanings, models_of, not_judged
from dkn.paper.verdicts import OUTCOMES
from tests.unit.verdict_rows import growth, row, rows


def test_the_headline_counts_claims_and_names_those_that_say_something() -> None:
    assert headline(rows(), "primary") == (
        "Of the paper's five claims, one is supported in both models (C1), one is contradicted (C2 in two), and three "
        "are neither."
    )
    assert headline(rows(), "literal") == (
        "Read literally, as one of the claims can be, none is supported in both models, one is contradicted (C2 in "
        "both models), and none is neither."
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([row("C1", "one", "supported")], "one is supported in one (C1), none is contradicted"),
        ([row("C1", m, "contradicted") for m in "abc"], "none is supported in all three models, one is contradicted"),
        ([growth()], "Of the paper's one claim, none is supported, none is contradicted, and one is neither."),
        ([], ""),
    ],
    ids=["one model", "three models", "no model", "nothing"],
)
def test_a_headline_fits_any_study(made: list[dict[str, object]], expected: str) -> None:
    assert expected in headline(made, "primary")
    assert headline(made, "literal") == ""


def test_of_combined_models_the_combination_alone_counts() -> None:
    seed = {**row("C1", "one-s1", "contradicted"), "combined_in": "one"}
    assert headline([seed, *rows()], "primary") == headline(rows(), "primary")
    assert "one-s1" not in str(claims([seed, *rows()]))


def test_a_verdict_says_what_speaks_for_either_side() -> None:
    found = cell(row("C2", "two", "contradicted", "supported", "contradicted", "inconclusive", "too few facts"))
    assert found["short"] == "1 of 4"
    assert found["words"] == (
        "Of four contrasts, one speaks for the claim, one speaks against it, and two leave it open."
    )
    (for_it,), (against,), open_ones = (found["sides"][side] for side in SIDES)
    assert for_it.startswith("D minus N (suppression-values: drop): 20.0 points")
    assert against.startswith("D minus N (suppression-values: drop): -40.0 points")
    assert [text.rpartition(" (")[2] for text in open_ones] == ["inconclusive)", "too few facts)"]
    assert cell(row("C1", "one", "not run"))["sides"]["open"] == [
        "D minus N (suppression-values: drop): no number (not run)"
    ]


def test_a_claim_about_all_models_states_why_or_by_how_much() -> None:
    assert cell(growth())["words"] == "Not judged: 2 models: too few."
    numbers = {"first": "two", "second": "one", "difference": 0.1, "low": 0.05, "high": 0.2}
    found = cell(growth(verdict="supported", note=None, **numbers))
    assert found["words"] == "two, the largest model, minus one, the smallest: 10.0 points (5.0 … 20.0)."
    assert found["numbers"][0].startswith("one: 20.0 points (10.0 … 30.0), n = 1,234 facts")
    assert cell(growth(note=None))["words"] == ""


def test_claims_come_in_order_with_the_primary_reading_first() -> None:
    found = claims(list(reversed(rows())))
    assert [claim["name"] for claim in found] == ["C1", "C2", "C3", "C4", "C8"]
    assert list(found[1]["readings"]) == ["primary", "literal"]
    assert set(found[1]["readings"]["literal"]["cells"]) == set(models_of(rows())) == {"one", "two"}


def test_what_was_not_judged_names_the_claims_that_miss_it() -> None:
    assert not_judged(rows(), "too few facts", 10) == {
        "D minus N (suppression-values: drop): n = 3 facts of 3 subjects, where 10 subjects are needed": [
            "C4 (primary reading, one)"
        ]
    }
    assert not_judged(rows(), "not run", 10) == {
        "D minus N (suppression-values: drop): experiment suppression-values was not run": [
            "C4 (primary reading, two)"
        ],
        "2 models: too few": ["C8 (primary reading)"],
    }


def test_every_verdict_has_a_meaning_and_a_side() -> None:
    assert tuple(meanings(10)) == OUTCOMES
    assert sorted(outcome for outcomes in SIDES.values() for outcome in outcomes) == sorted(OUTCOMES)


@pytest.mark.parametrize(
    ("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")]
)
def test_words_are_listed_as_in_a_sentence(words: list[str], said: str) -> None:
    assert listed(words) == said
