"""Settings of interventions: what there is to choose from."""

from __future__ import annotations

import pytest

from dkn.errors import UserError
from dkn.neurons.edits import EditSettings


def test_the_defaults_are_those_of_the_text() -> None:
    assert EditSettings() == EditSettings("neurons", "answer", "answer", "extended")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"site": "output"}, "unknown site of edited values 'output'; allowed: neurons, preactivation"),
        ({"positions": "all"}, "unknown positions 'all'; allowed: answer, last"),
        ({"answer_path": "greedy"}, "unknown answer_path 'greedy'; allowed: answer, first-choice"),
        ({"weights_context": "short"}, "unknown weights_context 'short'; allowed: extended, bare"),
    ],
)
def test_a_choice_that_there_is_not_is_named(setting: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EditSettings(**setting)
