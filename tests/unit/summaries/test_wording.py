"""The numbers of captions: right, with interval and n, and safe as reStructuredText."""

from __future__ import annotations

from typing import Any

import pytest

from dkn.summaries.wording import bullets, contrast, interval, sized
from tests.unit.captions import NUMBERS, rendered


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.123456, 0.1, 0.15, "drop"), "12.3 % (10.0 … 15.0)"),
        ((0.123456, 0.1, 0.15, "auroc"), "12.3 % (10.0 … 15.0)"),
        ((0.123456, 0.1, 0.15, "nats"), "0.123 nats (0.100 … 0.150)"),
        ((0.123456, 0.1, 0.15, "count"), "0.123 (0.100 … 0.150)"),
        ((-0.01, -0.02, 0.0, "accuracy", True), "-1.0 points (-2.0 … 0.0)"),
        ((0.001, 0.0009, 0.0011, "share"), "0.100 % (0.090 … 0.110)"),
        ((-123.0, -24690.0, 0.0, "drop", True), "-12,300 points (-2,469,000 … 0)"),
        ((0.5, None, None, "drop"), "50.0 % (no interval: too few subjects)"),
        ((0.5, float("nan"), float("nan")), "0.50 (no interval: too few subjects)"),
        ((None, None, None, "drop"), "not computed, since no fact has it"),
        ((float("nan"), float("nan"), float("nan")), "not computed, since no fact has it"),
    ],
)
def test_a_number_has_its_interval(given: tuple[Any, ...], expected: str) -> None:
    assert interval(*given) == expected


def test_n_is_of_facts_and_subjects() -> None:
    assert sized(NUMBERS) == "n = 1,234 facts of 56 subjects"
    assert sized({"facts": 3.0}) == "n = 3 facts"


def test_names_with_marks_come_out_as_they_are() -> None:
    names = ["gpt_2_", "*Q* and Q*", "`code`", "a|b|", "<x>", "back\\slash"]
    assert rendered(bullets(names)) == " ".join(names)


def test_a_contrast_says_what_minus_what() -> None:
    row = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "query": "perturbed", "metric": "drop"}
    said = contrast({**row, "difference": 0.2, **NUMBERS})
    assert said == (
        "D minus N (suppression-values: drop, perturbed): 20.0 points (10.0 … 30.0), n = 1,234 facts of 56 subjects"
    )
    of_runs = contrast({**row, "difference": 0.2, **NUMBERS, "first_draws": 3, "second_draws": 4})
    assert of_runs == f"{said}, 3 and 4 trainings"
    checking = {**row, "experiment": "fact-checking-dkn", "difference": 0.2, **NUMBERS}
    assert contrast({**checking, "first_draws": 1, "second_draws": 8}).endswith("subjects, 1 and 8 draws")
    assert contrast({**row, "difference": 0.2, **NUMBERS, "draws": 50, "trainings": 3}) == f"{said}, 3 trainings"
    tested = {"experiment": "degeneracy-ntc", "first": "ntc", "second": "random", "metric": "drop", "kind": "gap"}
    assert "random groups that pass the test" in contrast({**tested, "difference": 0.2, **NUMBERS})
