"""Main numbers over seeds: what is combined, of how many models, and what the claims make of it."""

from __future__ import annotations

from typing import Any

import pytest

from dkn.paper.claims import CLAIMS, READINGS
from dkn.paper.model_size import METRICS
from dkn.paper.seeds import MAIN_NUMBERS, combined, main_numbers
from dkn.statistics.meta_analysis import combine
from tests.unit.seed_rows import models

VALUES = [0.30, 0.28, 0.33, 0.25, 0.31]


def test_everything_that_a_claim_needs_is_combined_once() -> None:
    numbers = list(main_numbers())
    places = [(number.experiment, tuple(sorted(number.where.items()))) for number in numbers]
    assert len(set(places)) == len(places)
    needed = {
        (evidence.experiment, tuple(sorted(evidence.where.items())))
        for claim in CLAIMS
        for reading in READINGS
        for evidence in claim.evidence(reading)
    }
    assert needed == {place for place, number in zip(places, numbers, strict=True) if number.needed_by != MAIN_NUMBERS}
    assert [number.words for number in numbers[-len(METRICS) :]] == [metric.label for metric in METRICS]
    assert len({(number.words, number.needed_by) for number in numbers}) == len(numbers), "lines that can be told apart"


def test_a_number_is_the_meta_analysis_of_the_seeds() -> None:
    rows = combined("nano", models(VALUES), 0.9, 10)
    assert len(rows) == len(list(main_numbers()))
    expected = combine(VALUES, [0.01] * 5, 0.9)
    for row in rows:
        assert (row["entry"], row["name"], row["models"], row["replicates"]) == ("nano", "nano, over seeds", 5, 5)
        assert (row["value"], row["low"], row["high"]) == pytest.approx((expected.mean, expected.low, expected.high))
        assert [seed["value"] for seed in row["seeds"]] == VALUES
        assert [seed["model"] for seed in row["seeds"]] == ["nano", "nano-s1", "nano-s2", "nano-s3", "nano-s4"]
        assert (row["facts"], row["subjects"]) == (80, 40)


@pytest.mark.parametrize(
    "change", [{"subjects": 9}, {"low": None}, {"se": float("nan")}, None], ids=["few subjects", "low", "se", "no row"]
)
def test_a_seed_without_the_number_is_left_out_and_counted(change: dict[str, float | None] | None) -> None:
    seeds = models(VALUES)
    rows = seeds["nano-s2"]["suppression-values"]["contrasts"]
    changed = len(rows) if change is None else 1
    if change is None:
        rows.clear()
    else:
        rows[0].update(change)
    found = combined("nano", seeds, 0.95, 10)
    lacking = [row for row in found if row["replicates"] == 4]
    assert {row["experiment"] for row in lacking} == {"suppression-values"}
    assert len(lacking) == changed
    assert all("nano-s2" not in {seed["model"] for seed in row["seeds"]} for row in lacking)
    assert all(row["models"] == 5 for row in found)


def test_one_seed_is_no_combination() -> None:
    seeds = models(VALUES[:2])
    seeds["nano-s1"].clear()
    rows = combined("nano", seeds, 0.95, 10)
    assert {row["replicates"] for row in rows} == {1}
    assert all(row["value"] != row["value"] for row in rows)
    assert not any(row["not_run"] for row in rows)


def test_what_no_seed_has_is_counted_and_was_perhaps_not_run() -> None:
    seeds: dict[str, Any] = models(VALUES[:2])
    for content in seeds.values():
        content["fine-tuning-dkn"] = {"estimates": [], "contrasts": [], "not_run": "too few facts"}
        content["suppression-values"] = {"estimates": [], "contrasts": []}
        del content["overlap-fine-tuning"]
    rows = [row for row in combined("nano", seeds, 0.95, 10) if row["replicates"] == 0]
    assert {row["experiment"] for row in rows if row["not_run"]} == {"fine-tuning-dkn", "overlap-fine-tuning"}
    assert {row["experiment"] for row in rows if not row["not_run"]} == {"suppression-values"}
    assert all(row["facts"] == 0 and row["seeds"] == [] for row in rows)
