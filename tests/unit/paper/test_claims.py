"""The claims name contrasts that the registry's experiments make."""

from __future__ import annotations

from dkn.paper.claims import CLAIMS, READINGS
from dkn.study.registry import EXPERIMENTS


def test_claims_and_experiments_name_each_other() -> None:
    needed = {
        (claim.name, evidence.experiment)
        for claim in CLAIMS
        for reading in READINGS
        for evidence in claim.evidence(reading)
    }
    feeds = {(claim, experiment.name) for experiment in EXPERIMENTS for claim in experiment.claims}
    assert {claim for claim, _ in needed} == {claim for claim, _ in feeds}
    assert all((claim, name) in feeds for claim, name in needed if name != "degeneracy")


def test_a_reading_says_what_it_compares_exactly_if_it_has_evidence() -> None:
    for claim in CLAIMS:
        assert set(claim.readings) == {reading for reading in READINGS if claim.evidence(reading)}
        assert claim.primary
