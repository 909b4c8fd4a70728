"""The two protocols in the configuration, and what an audit takes of it."""

from __future__ import annotations

import pytest

from dkn.errors import UserError
from dkn.study.config import parse_config
from dkn.study.protocol import SWITCHES
from dkn.study.protocol_sections import Audited, audited
from tests.unit.study.configurations import DEFAULT, changed, complaint


def test_the_default_study_is_that_of_the_text() -> None:
    assert parse_config(DEFAULT).released == ()


def test_a_study_has_a_protocol_and_switches_that_are_otherwise() -> None:
    study = parse_config(changed(("protocol", "released"), ("switches.site", "text")))
    assert study.released == tuple(name for name in SWITCHES if name != "site")
    assert parse_config(changed(("switches.plm", "released"), ("switches.site", "text"))).released == ("plm",)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("protocol", "paper", "protocol"),
        ("switches.site", "on", "switches.site"),
        ("switches.site", True, "switches.site"),
        ("switches.sites", "text", "switches.sites"),
    ],
)
def test_a_wrong_switch_or_state_is_one_line(place: str, value: object, said: str) -> None:
    line = complaint((place, value))
    assert line.startswith(said)
    assert "text" in line or "site" in line, "it says what is allowed"


@pytest.mark.parametrize("tau1", [0.05, {"quantile": 0.5}])
def test_an_audit_is_given_the_studys_settings_as_text(tau1: object) -> None:
    study = parse_config(changed(("clustering.tau1", tau1), ("audit.facts", None)))
    found = audited(study.model_dump_json(include=set(Audited.model_fields)))
    assert isinstance(found, Audited)
    assert found.model_dump() == study.model_dump(include=set(Audited.model_fields))


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "seed: Field required"), ("no JSON", "JSON: Invalid JSON"), ('{"seed": -1}', "seed: Input should be")],
)
def test_settings_that_are_none_are_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^settings of the audit: {said}") as caught:
        audited(text)
    assert "\n" not in str(caught.value)
