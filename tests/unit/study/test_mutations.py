"""Configurations with mistakes in every key: a study, or lines about the keys that were changed; never an exception."""

from __future__ import annotations

import re

from dkn.study.config import parse_config
from dkn.study.reference import keys
from tests.unit.study.configurations import DEFAULT
from tests.unit.study.mutations import PLACES, mutants, outcome, whole_study


def test_the_configuration_that_is_changed_has_every_key_and_is_a_study() -> None:
    dotted = {".".join("[]" if isinstance(step, int) else step for step in place) for place in PLACES}
    assert {key.path.replace("[]", ".[]") for key in keys(DEFAULT)} <= dotted
    parse_config(whole_study())


def test_mistakes_in_any_key_are_refused_in_lines_that_name_it() -> None:
    found = outcome(600, seed=14)
    assert not found.faults, "\n".join(found.faults)
    assert found.refused > 400
    assert found.taken > 5


def test_one_seed_gives_the_same_mistakes() -> None:
    first, again, other = ([mutant.what for mutant in mutants(50, seed)] for seed in (1, 1, 2))
    assert first == again != other


def test_every_key_is_changed() -> None:
    named = {re.sub(r".* at ", "", what) for mutant in mutants(len(PLACES), seed=0) for what in mutant.what}
    assert len(named) > 0.9 * len(PLACES)
