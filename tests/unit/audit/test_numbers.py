"""The numbers of an audit are those of the study's own summaries of the same records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.audit.numbers import HEADLINES, Headline, Numbers, Reading, evidence
from dkn.experiments.degeneracy_measures import Averages
from dkn.paper.claims import CLAIMS, READINGS, Evidence
from dkn.statistics.weighted import measured, value_of
from dkn.study.names import DKN, KN, NONE
from dkn.summaries.fact_checking import RELEASED_THRESHOLDS
from dkn.summaries.perturbation import PerturbedAverages
from dkn.summaries.stored import only_match
from tests.unit.audit_records import Made, summaries

READ: dict[str, tuple[Reading, dict[str, Any]]] = {
    "text": (Reading(), {}),
    **{
        name: (Reading(averages=averages), {"averages": averages})
        for name, averages in (
            ("average", Averages(average="subsets")),
            ("sign", Averages(sign="gain")),
            ("outliers", Averages(limit=0.6, rival_limit=0.25)),
        )
    },
    **{
        name: (Reading(perturbed=averages), {"perturbed": averages})
        for name, averages in (
            ("reduction", PerturbedAverages(reduction="means")),
            ("kept_facts", PerturbedAverages(below_values=0.7, below_weights=0.66)),
        )
    },
    "threshold": (Reading(thresholds={DKN: 0.5, KN: 0.4}), {"thresholds": {DKN: 0.5, KN: 0.4}}),
    "questions": (Reading(questions="filtered"), {"questions": "filtered"}),
}
EXPERIMENTS = {  # those that an argument of the summaries changes
    "averages": "degeneracy",
    "perturbed": "suppression",
    "thresholds": "fact-checking",
    "questions": "fine-tuning",
}
# Of these the summaries' errors are over subjects alone, or those of the audit leave the choice of thresholds out.
WITH_DRAWS = ("fact-checking", "overlap", "fine-tuning")


@pytest.fixture(scope="module")
def made() -> Made:
    return Made()


@pytest.mark.parametrize("state", READ)
def test_every_contrast_of_a_claim_is_that_of_the_summaries(state: str, made: Made) -> None:
    reading, arguments = READ[state]
    makes, numbers = summaries(made, **arguments), Numbers(made, reading)
    changed = tuple(EXPERIMENTS[name] for name in arguments) or tuple(makes)
    stored = {name: make()["contrasts"] for name, make in makes.items() if name.startswith(changed)}
    draw = np.random.default_rng(0)
    pieces = [piece for piece in evidence() if piece.experiment in stored]
    assert {piece.experiment for piece in pieces} == set(stored)
    for piece in pieces:
        row = only_match(stored[piece.experiment], piece.where)
        assert row is not None, piece
        found = measured(numbers.contrast(piece), 100, 0.95, draw)
        assert found.difference == pytest.approx(row["difference"], abs=1e-12), piece
        assert found.facts == row["facts"], piece
        assert found.subjects == row["subjects"], piece
        if not piece.experiment.startswith(WITH_DRAWS):
            assert found.se == pytest.approx(row["se"], rel=1e-9), piece


def test_the_evidence_is_that_of_all_claims_each_once() -> None:
    needed = [piece for claim in CLAIMS for reading in READINGS for piece in claim.evidence(reading)]
    found = evidence()
    assert all(any((one.experiment, one.where) == (piece.experiment, piece.where) for one in found) for piece in needed)
    assert len({(one.experiment, tuple(sorted(one.where.items()))) for one in found}) == len(found) < len(needed) + 1


def test_every_main_number_is_stated_by_the_summaries(made: Made) -> None:
    """The complex wording is asked of nobody here."""
    stored, numbers = {name: make() for name, make in summaries(made).items()}, Numbers(made, Reading())
    for headline in HEADLINES:
        found = numbers.headline(headline)
        if headline.name == "fact_checking_complex":
            assert found == []
            continue
        of_experiment = stored[headline.evidence.experiment]
        row = only_match(of_experiment["contrasts" if headline.of_contrast else "estimates"], headline.evidence.where)
        assert row is not None, headline
        assert value_of(found) == pytest.approx(row["difference" if headline.of_contrast else "mean"]), headline


def test_the_complex_wording_is_another_condition() -> None:
    made = Made(1)
    shifted = made.checked.assign(
        wording="complex", score=made.checked["score"] * np.where(made.checked["truth"], 2, 1)
    )
    made.checked = pd.concat([made.checked, shifted])
    triple, complex_ = (
        value_of(Numbers(made, Reading()).headline(one)) for one in HEADLINES if one.name.startswith("fact_checking")
    )
    assert triple == triple != complex_ == complex_


@pytest.mark.parametrize("state", ["text", "threshold"])
def test_a_fixed_threshold_changes_the_detectors_that_have_one(state: str, made: Made) -> None:
    """Without thresholds of neurons, those of the judgement change nothing of D against N."""
    where = {"first": DKN, "second": KN, "neurons": "relation", "wording": "triple", "metric": "f1"}
    piece = Evidence("fact-checking-dkn", where)
    text = value_of(Numbers(made, Reading()).contrast(piece))
    thresholds = {"plm": 0.5} if state == "text" else RELEASED_THRESHOLDS
    found = value_of(Numbers(made, Reading(thresholds=thresholds)).contrast(piece))
    assert (found == text) == (state == "text")


def without(made: Made, state: str) -> Made:
    """The study without some records."""
    if state == "nothing trained":
        made.trained, made.overlapped = made.trained.iloc[:0], made.overlapped.iloc[:0]
    elif state == "D alone":
        made.perturbed = {name: rows[rows["neuron_set"].isin((DKN, NONE))] for name, rows in made.perturbed.items()}
    elif state == "no degenerate fact":
        made.groupings = {name: rows.iloc[:0] for name, rows in made.groupings.items()}
        made.perturbed = {name: rows.iloc[:0] for name, rows in made.perturbed.items()}
    return made


@pytest.mark.parametrize(
    ("state", "missing", "not_run"),
    [
        ("nothing trained", ("overlap", "fine-tuning"), ()),
        ("D alone", ("suppression", "enhancement"), ("suppression", "enhancement")),
        ("no degenerate fact", ("degeneracy", "suppression", "enhancement"), ()),
    ],
)
def test_what_records_do_not_give_is_empty(state: str, missing: tuple[str, ...], not_run: tuple[str, ...]) -> None:
    """Whether an experiment was not run, or has no facts, is told apart."""
    made = without(Made(2), state)
    numbers = Numbers(made, Reading())
    for piece in evidence():
        assert bool(numbers.contrast(piece)) is not piece.experiment.startswith(missing), piece
        assert numbers.was_run(piece.experiment) is not (bool(not_run) and piece.experiment.startswith(not_run)), piece
    for headline in HEADLINES:
        if headline.evidence.experiment.startswith(missing):  # what suppressing D costs needs no other set
            assert (numbers.headline(headline) == []) is not (state == "D alone" and not headline.of_contrast)


def test_a_main_number_is_read_by_its_name_alone(made: Made) -> None:
    """Two numbers differ in what they name; one that is no contrast is an estimate."""
    gap = next(one for one in HEADLINES if one.name == "gap")
    beyond = next(one for one in HEADLINES if one.name == "gap_beyond_control")
    numbers = Numbers(made, Reading())
    renamed = Headline("other", "", gap.evidence, False)
    assert value_of(numbers.headline(renamed)) == value_of(numbers.headline(gap)) != value_of(numbers.headline(beyond))
