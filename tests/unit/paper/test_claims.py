"""Verdicts from summaries whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dkn.paper.claims import CLAIMS, INCONCLUSIVE, NOT_RUN, NOT_SUPPORTED, SUPPORTED, Thresholds, verdicts
from dkn.statistics.inference import paired_contrast
from dkn.study.registry import EXPERIMENTS

THRESHOLDS = Thresholds(alpha=0.05, margin=0.05, minimum_subjects=10)
Row = dict[str, Any]


def summaries(make: Callable[[str, bool], Row | None]) -> dict[str, dict[str, list[Row]]]:
    """Every contrast that any claim needs, with the numbers that ``make`` gives for a claim."""
    found: dict[str, dict[str, list[Row]]] = {}
    for claim in CLAIMS:
        for evidence in claim.evidence:
            numbers = make(claim.name, evidence.equal)
            rows = found.setdefault(evidence.experiment, {"contrasts": []})["contrasts"]
            if numbers is not None:
                rows.append({**evidence.where, **numbers})
    return found


def contrast(difference: float, width: float, p: float = 1e-6, subjects: int = 40) -> Row:
    low, high = difference - width, difference + width
    return {"difference": difference, "low": low, "high": high, "p": p, "facts": 2 * subjects, "subjects": subjects}


def by_claim(given: dict[str, dict[str, list[Row]]]) -> dict[str, str]:
    return {row["claim"]: row["verdict"] for row in verdicts(given, THRESHOLDS)}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (contrast(0.3, 0.1), SUPPORTED),
        (contrast(-0.3, 0.1), NOT_SUPPORTED),
        (contrast(0.01, 0.1, p=0.8), INCONCLUSIVE),
        (contrast(0.3, 0.1, p=0.2), INCONCLUSIVE),
        (contrast(0.3, 0.1, subjects=9), NOT_RUN),
        ({**contrast(0.3, 0.1), "low": None, "high": None, "p": None}, NOT_RUN),
        (None, NOT_RUN),
    ],
)
def test_evidence_decides(row: Row | None, expected: str) -> None:
    """The same evidence everywhere; where no lower is enough, its margin may save what is open."""
    found = by_claim(summaries(lambda claim, equal: row))
    assert {verdict for claim, verdict in found.items() if claim != "C7"} == {expected}
    assert found["C7"] == expected


def test_one_failing_contrast_fails_its_claim_alone() -> None:
    given = summaries(lambda claim, equal: contrast(0.3, 0.1))
    next(row for row in given["degeneracy"]["contrasts"] if row["second"] == "kmeans").update(contrast(-0.2, 0.1))
    found = by_claim(given)
    assert found.pop("C2") == NOT_SUPPORTED
    assert set(found.values()) == {SUPPORTED}


@pytest.mark.parametrize(("difference", "expected"), [(-0.02, SUPPORTED), (-0.2, NOT_SUPPORTED), (-0.05, INCONCLUSIVE)])
def test_no_lower_is_enough_has_a_margin(difference: float, expected: str) -> None:
    """D need not beat full fine-tuning on new facts: it may be lower by the margin, whatever p says."""
    given = summaries(lambda claim, equal: contrast(difference, 0.02, p=0.9) if equal else contrast(0.3, 0.1))
    assert by_claim(given)["C7"] == expected


def test_p_values_are_adjusted_over_all_evidence() -> None:
    """p = 0.01 of one of many contrasts does not survive, unless the others are as small."""
    pieces = sum(len(claim.evidence) for claim in CLAIMS)
    assert 0.01 * pieces > THRESHOLDS.alpha
    assert by_claim(summaries(lambda claim, equal: contrast(0.3, 0.1, p=0.01)))["C1"] == INCONCLUSIVE
    alone = summaries(lambda claim, equal: contrast(0.3, 0.1, p=0.01) if claim == "C1" else None)
    assert by_claim(alone)["C1"] == SUPPORTED


def test_noise_supports_nothing() -> None:
    """A planted null: contrasts of pure noise, many times; no claim is ever supported."""
    for seed in range(20):
        generator = np.random.default_rng(seed)

        def noise(claim: str, equal: bool, generator: np.random.Generator = generator) -> Row:
            subjects = np.repeat(np.arange(30), 2)
            values = generator.normal(size=(2, 60))
            return paired_contrast(*values, subjects, 400, 0.95, generator).as_dict()  # type: ignore[arg-type]

        assert SUPPORTED not in by_claim(summaries(noise)).values()


def test_two_contrasts_for_one_piece_of_evidence_are_an_error() -> None:
    given = summaries(lambda claim, equal: contrast(0.3, 0.1))
    given["degeneracy-ntc"]["contrasts"] *= 2
    with pytest.raises(ValueError, match="2 rows match"):
        verdicts(given, THRESHOLDS)


def test_claims_and_experiments_name_each_other() -> None:
    needed = {(claim.name, evidence.experiment) for claim in CLAIMS for evidence in claim.evidence}
    feeds = {(claim, experiment.name) for experiment in EXPERIMENTS for claim in experiment.claims}
    assert {claim for claim, _ in needed} == {claim for claim, _ in feeds}
    assert all((claim, name) in feeds for claim, name in needed if name != "degeneracy")
