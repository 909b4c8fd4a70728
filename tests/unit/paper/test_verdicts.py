"""Verdicts from summaries whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkn.paper.claims import CLAIMS, LITERAL, PRIMARY, READINGS, Evidence
from dkn.paper.verdicts import (
    CONTRADICTED,
    EQUIVALENT,
    INCONCLUSIVE,
    NOT_RUN,
    OUTCOMES,
    SUPPORTED,
    TOO_FEW,
    Thresholds,
    together,
    verdicts,
)
from dkn.statistics.inference import paired_contrast

METRICS = ("drop", "accuracy", "balanced_accuracy", "auroc", "f1", "share")
THRESHOLDS = Thresholds(alpha=0.05, margins=dict.fromkeys(METRICS, 0.05), minimum_subjects=10)
Row = dict[str, Any]
Summaries = dict[str, dict[str, Any]]


def summaries(make: Callable[[Evidence], Row | None]) -> Summaries:
    """Every contrast that any claim needs, with the numbers that ``make`` gives for it."""
    found: Summaries = {}
    for evidence in dict.fromkeys(
        (piece.experiment, tuple(piece.where.items()), piece.reached)
        for claim in CLAIMS
        for reading in READINGS
        for piece in claim.evidence(reading)
    ):
        piece = Evidence(evidence[0], dict(evidence[1]), evidence[2])
        rows = found.setdefault(piece.experiment, {"contrasts": []})["contrasts"]
        numbers = make(piece)
        if numbers is not None:
            rows.append({**piece.where, **numbers})
    return found


def contrast(difference: float, se: float, subjects: int = 40) -> Row:
    low, high = difference - 2 * se, difference + 2 * se
    numbers = {"difference": difference, "low": low, "high": high, "p": 0.5, "se": se, "df": subjects - 1.0}
    return {**numbers, "facts": 2 * subjects, "subjects": subjects}


def by_claim(given: Summaries, reading: str = PRIMARY) -> dict[str, str]:
    return {row["claim"]: row["verdict"] for row in verdicts(given, THRESHOLDS) if row["reading"] == reading}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (contrast(0.3, 0.02), SUPPORTED),
        (contrast(-0.3, 0.02), CONTRADICTED),
        (contrast(0.0, 0.005), EQUIVALENT),
        (contrast(0.01, 0.1), INCONCLUSIVE),
        (contrast(0.3, 0.02, subjects=9), TOO_FEW),
        ({**contrast(0.3, 0.02), "se": None}, TOO_FEW),
    ],
)
@pytest.mark.parametrize("reading", READINGS)
def test_evidence_decides(row: Row, expected: str, reading: str) -> None:
    """The same evidence everywhere; where reaching is enough a difference of nought supports."""
    found = by_claim(summaries(lambda evidence: row), reading)
    assert set(found.values()) == {expected}


def test_an_experiment_that_was_not_run_is_called_so() -> None:
    assert set(by_claim({}).values()) == {NOT_RUN}
    given = summaries(lambda evidence: None)
    assert set(by_claim(given).values()) == {TOO_FEW}
    given["fine-tuning-dkn"]["not_run"] = "3 new facts; 20 are needed"
    assert by_claim(given)["C7"] == NOT_RUN


def whys(given: Summaries, claim: str) -> set[str | None]:
    """Why a claim's readings were not judged."""
    return {row.get("why") for row in verdicts(given, THRESHOLDS) if row["claim"] == claim}


def test_what_was_not_judged_says_how_many_facts_it_lacks() -> None:
    assert whys({}, "C1") == {"not in this study"}
    few = summaries(lambda evidence: contrast(0.3, 0.02, subjects=6))
    assert whys(few, "C1") == {"6 of 10 subjects"}
    few["fine-tuning-dkn"] = {"contrasts": [], "not_run": "3 facts, fewer", "new_facts": 3, "minimum": 20}
    assert (by_claim(few)["C7"], whys(few, "C7")) == (TOO_FEW, {"3 of 20 new facts"})
    assert whys(summaries(lambda evidence: contrast(0.3, 0.02)), "C1") == {None}


def test_where_the_dkn_is_compared_with_nothing_no_facts_are_missed() -> None:
    """`compared: released` suppresses and enhances D alone."""
    alone = summaries(lambda evidence: None)
    for name, summary in alone.items():
        if name.startswith(("suppression", "enhancement")):
            summary["estimates"] = [{"neuron_set": "dkn", "mean": 0.1}, {"neuron_set": "none", "mean": 0.5}]
    for reading in READINGS:
        found = by_claim(alone, reading)
        assert [claim for claim, verdict in found.items() if verdict == NOT_RUN] == ["C3", "C4"]
    assert whys(alone, "C3") == {"nothing is compared"}


def test_one_contradicted_contrast_contradicts_its_claim_alone() -> None:
    given = summaries(lambda evidence: contrast(0.3, 0.02))
    row = next(row for row in given["degeneracy"]["contrasts"] if row["second"] == "kmeans" and row["kind"] == "gap")
    row.update(contrast(-0.2, 0.02))
    assert by_claim(given, LITERAL).pop("C2") == CONTRADICTED
    assert set(by_claim(given).values()) == {SUPPORTED}


@pytest.mark.parametrize(("difference", "expected"), [(-0.02, SUPPORTED), (-0.2, CONTRADICTED), (-0.05, INCONCLUSIVE)])
def test_reaching_has_a_margin(difference: float, expected: str) -> None:
    """D need not beat full fine-tuning on new facts: it may be lower by the margin."""
    given = summaries(lambda evidence: contrast(difference if evidence.reached else 0.3, 0.005))
    assert by_claim(given)["C7"] == expected


def test_the_same_distance_decides_on_both_sides() -> None:
    """What is too little to support a claim is too little to contradict it."""
    for factor in np.linspace(1, 6, 21):
        for sign, expected in ((1, SUPPORTED), (-1, CONTRADICTED)):
            found = by_claim(summaries(lambda evidence, d=sign * factor * 0.1: contrast(d, 0.1)))["C2"]
            supported = by_claim(summaries(lambda evidence, d=factor * 0.1: contrast(d, 0.1)))["C2"] == SUPPORTED
            assert (found == expected) == supported


def test_intervals_hold_together_over_all_evidence_of_a_reading() -> None:
    """2.8 standard errors are too little among many contrasts, and enough alone."""
    assert by_claim(summaries(lambda evidence: contrast(0.28, 0.1)))["C6"] == INCONCLUSIVE
    alone = summaries(lambda evidence: contrast(0.28, 0.1) if evidence.experiment == "overlap-fine-tuning" else None)
    assert by_claim(alone)["C6"] == SUPPORTED


def test_the_stored_evidence_says_what_decided() -> None:
    row = next(row for row in verdicts(summaries(lambda evidence: contrast(0.3, 0.02)), THRESHOLDS))
    piece = row["evidence"][0]
    assert piece["single_low"] > piece["low"] > 0
    assert piece["margin"] == THRESHOLDS.margins["drop"]
    assert piece["p_adjusted"] < THRESHOLDS.alpha


@pytest.mark.parametrize("worst", OUTCOMES)
def test_a_claim_is_as_good_as_its_worst_contrast(worst: str) -> None:
    assert together([SUPPORTED, worst, SUPPORTED]) == worst


def test_noise_says_nothing_more_often_than_stated() -> None:
    """A planted null: contrasts of pure noise; in 200 studies hardly any claim is supported or contradicted."""
    wrong, studies = 0, 200
    for seed in range(studies):
        generator = np.random.default_rng(seed)

        def noise(evidence: Evidence, generator: np.random.Generator = generator) -> Row:
            subjects, values = np.repeat(np.arange(30), 2), generator.normal(size=(2, 60))
            value = -0.05 if evidence.reached else 0.0  # what the contrast has to exceed
            return paired_contrast(values[0] + value, values[1], subjects, 100, 0.95, generator).as_dict()

        judged = verdicts(summaries(noise), THRESHOLDS)
        outcomes = {piece["outcome"] for row in judged if row["reading"] == PRIMARY for piece in row["evidence"]}
        wrong += bool(outcomes & {SUPPORTED, CONTRADICTED, EQUIVALENT})
    assert wrong / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_two_contrasts_for_one_piece_of_evidence_are_an_error() -> None:
    given = summaries(lambda evidence: contrast(0.3, 0.02))
    given["degeneracy-ntc"]["contrasts"] *= 2
    with pytest.raises(ValueError, match="2 rows match"):
        verdicts(given, THRESHOLDS)
