"""From records to verdicts: what is planted in a whole study is found, and without it nothing is.

`benchmarks/verdicts.py` counts the rates over hundreds of studies.
"""

from __future__ import annotations

from dkn.paper.claims import CLAIMS, READINGS
from dkn.paper.verdicts import CONTRADICTED, SUPPORTED, verdicts
from tests.planted_study import THRESHOLDS, planted_summaries

STUDIES = 10


def test_a_large_effect_is_found_by_every_contrast() -> None:
    """Of C5 there are 40 test facts, too few for its verdict, but its differences are there."""
    found = {(row["claim"], row["reading"]): row for row in verdicts(planted_summaries(0, 0.35), THRESHOLDS)}
    assert set(found) == {(claim.name, reading) for claim in CLAIMS for reading in READINGS if claim.evidence(reading)}
    primary = {claim.name for claim in CLAIMS} - {"C5"}
    assert {found[claim, "primary"]["verdict"] for claim in primary} == {SUPPORTED}
    assert all(piece["difference"] > 0.1 for row in found.values() for piece in row["evidence"])


def test_an_effect_against_the_paper_contradicts_the_claims_on_drops() -> None:
    found = {
        (row["claim"], row["reading"]): row["verdict"] for row in verdicts(planted_summaries(0, -0.15), THRESHOLDS)
    }
    assert {found[claim, "primary"] for claim in ("C1", "C2", "C3", "C6")} == {CONTRADICTED}


def test_without_an_effect_hardly_any_study_says_anything() -> None:
    """At a rate of 5 % more than two of ten such studies are one in ninety."""
    said = 0
    for seed in range(STUDIES):
        rows = verdicts(planted_summaries(seed, 0.0), THRESHOLDS)
        outcomes = {piece["outcome"] for row in rows if row["reading"] == "primary" for piece in row["evidence"]}
        said += bool(outcomes & {SUPPORTED, CONTRADICTED})
    assert said <= 2
