"""The two protocols: what every switch changes, and which stages it reaches."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from dkn.attribution.integrated_gradients import AttributionSettings
from dkn.decoder.encoded_facts import EncodingSettings
from dkn.errors import UserError
from dkn.experiments.degeneracy_measures import Averages
from dkn.experiments.fact_checking import ATTRIBUTION
from dkn.experiments.fact_checking_plm import Judge
from dkn.experiments.fine_tuning import Plan
from dkn.experiments.learning_rates import RateGrid
from dkn.experiments.perturbation import PerturbationSettings
from dkn.experiments.statements import StatementSettings
from dkn.facts.stored import AskedFacts
from dkn.neurons.edits import EditSettings
from dkn.neurons.tuning import TuningSettings
from dkn.structure.amig import PAIRINGS, PairSettings
from dkn.structure.distances import CONNECTIONS, PATHS, DistanceSettings
from dkn.structure.functional_test import FunctionalTest
from dkn.structure.ntc import NTCSettings
from dkn.structure.other_clusterings import GroupingSettings
from dkn.study.protocol import CHOICES, GROUPS, SWITCHES, applied, flags, reaches, released_switches
from dkn.summaries.fact_checking import ThresholdSettings
from dkn.summaries.fine_tuning import QuestionSettings
from dkn.summaries.perturbation import PerturbedAverages

ENCODING, ADAPTIVE = EncodingSettings(), AttributionSettings("amig", "adaptive", 3)
# Every choice as the text has it.
TEXT: dict[str, Any] = {
    "asked facts": AskedFacts(),
    "attributed answer": ENCODING,
    "evaluated answer": ENCODING,
    "attribution": ADAPTIVE,
    "statement attribution": ATTRIBUTION,
    "edits": EditSettings(),
    "weight edits": EditSettings(),
    "distances": DistanceSettings(),
    "clustering": NTCSettings("difference", 0.05, 0.2, 2),
    "groupings": GroupingSettings(2, 2, 2, 8, 0.9, 2),
    "pairs": PairSettings(8, 0.05),
    "functional test": FunctionalTest("sufficiency", 0.1),
    "averages": Averages(),
    "perturbed averages": PerturbedAverages(),
    "perturbation": PerturbationSettings("suppression", "values", 2, "preserving", 0),
    "statements": StatementSettings(),
    "judge": Judge(4),
    "threshold": ThresholdSettings(),
    "tuning": TuningSettings(12, 2, 8, 0),
    "plan": Plan(RateGrid([0.001], 0), 1, 1),
    "questions": QuestionSettings(),
}
# The words of choices that check them where they are used, and not before.
CHECKED_LATER = {"connection": CONNECTIONS, "paths": PATHS, "pairing": PAIRINGS}
CHANGES = [
    (switch.name, gated, choice, name, value)
    for switch in SWITCHES.values()
    for gated in (False, True)
    for choice, changed in switch.of_family(gated).items()
    for name, value in changed.items()
]


@pytest.mark.parametrize(("switch", "gated", "choice", "name", "value"), CHANGES)
def test_a_change_is_of_a_field_and_is_accepted(
    switch: str, gated: bool, choice: str, name: str, value: object
) -> None:
    assert name in {field.name for field in fields(TEXT[choice])}
    found = applied(choice, TEXT[choice], [switch], gated)
    assert getattr(found, name) == value != getattr(TEXT[choice], name), "it differs from the text's"
    if isinstance(value, str) and name in CHECKED_LATER:
        assert value in CHECKED_LATER[name]
    elif isinstance(value, str):
        with pytest.raises(UserError):
            type(found)(**{**vars(found), name: "no such word"})


def test_all_choices_are_taken_by_some_stage_and_no_others_are_changed() -> None:
    taken = {choice for choices in CHOICES.values() for choice in choices}
    assert taken == set(TEXT)
    assert {choice for _, _, choice, *_ in CHANGES} == taken, "each is changed by some switch"


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_of_a_part_of_the_analysis_and_says_if_it_is_missing(name: str) -> None:
    switch = SWITCHES[name]
    assert (switch.name, switch.group in GROUPS) == (name, True)
    assert bool(switch.note) == (not switch.of_family(False) or not switch.of_family(True))
    assert switch.of_family(False) or switch.of_family(True), "it exists for some model"
    assert switch.text != switch.released


def test_switches_stand_in_the_order_of_the_analysis() -> None:
    groups = [switch.group for switch in SWITCHES.values()]
    assert groups == sorted(groups, key=GROUPS.index)


@pytest.mark.parametrize("choice", TEXT)
@pytest.mark.parametrize("gated", [False, True])
def test_all_switches_together_change_what_each_changes(choice: str, gated: bool) -> None:
    """No two switches change one field to different values, so that their order says nothing."""
    found = applied(choice, TEXT[choice], list(reversed(SWITCHES)), gated)
    for switch, of_gated, of_choice, name, value in CHANGES:
        if (of_choice, of_gated) == (choice, gated):
            assert getattr(found, name) == value, switch


def test_a_choice_without_switches_is_the_one_that_is_given() -> None:
    for released in (None, [], ["sign"]):
        assert applied("edits", TEXT["edits"], released) is TEXT["edits"]
    assert applied("distances", TEXT["distances"], ["connection"]) is TEXT["distances"], "a model without a gate"


def test_an_unknown_switch_is_named_with_all_that_there_are() -> None:
    with pytest.raises(UserError, match=r"unknown switch 'sights'; allowed: site, multiplier, .*, questions$"):
        applied("edits", TEXT["edits"], ["site", "sights"])


def test_the_flags_of_a_stage_name_the_switches_that_reach_it() -> None:
    assert flags("distances", ["rule", "paths", "connection"]) == ["--released=connection", "--released=paths"]
    assert flags("distances", ["rule"]) == flags("funnel", SWITCHES) == []
    assert flags("experiment-suppression-weights", ["site", "weights_probability"]) == [
        "--released=weights_probability"
    ]
    assert flags("experiment-suppression-values", ["site", "weights_probability"]) == ["--released=site"]


def test_a_switch_of_gated_models_alone_reaches_its_stage() -> None:
    assert not SWITCHES["connection"].changes
    assert reaches("connection", "distances")
    assert not reaches("connection", "components")


def test_switches_that_are_otherwise_leave_the_protocol() -> None:
    assert released_switches("text", {}) == ()
    assert released_switches("released", {}) == tuple(SWITCHES)
    assert released_switches("text", {"plm": "released", "site": "released", "rule": "text"}) == ("site", "plm")
    assert released_switches("released", {"site": "text"}) == tuple(SWITCHES)[1:]
