"""The registry is what the documentation and the rules say it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dkn.study.registry import (
    CONTROL_SETTINGS,
    CONTROLS,
    EVERY_EXPERIMENT,
    EXPERIMENTS,
    GROUPINGS,
    SETTINGS,
    of_setting,
    of_study,
)

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("experiment", EVERY_EXPERIMENT, ids=lambda experiment: experiment.name)
def test_every_experiment_is_documented(experiment: Any) -> None:
    claims = f" {', '.join(experiment.claims)} |" if experiment in EXPERIMENTS else ""
    row = f"| `{experiment.name}` | {experiment.question} | {experiment.metric} |{claims}"
    assert row in (ROOT / "docs" / "method.md").read_text().splitlines()


def test_a_study_leaves_out_groupings_it_does_not_have() -> None:
    names = of_study(["ntc", "kmeans", "hdbscan"])
    assert {name for name in names if name.startswith("degeneracy")} == {"degeneracy-ntc", "degeneracy-kmeans"}
    assert of_study(GROUPINGS) == tuple(experiment.name for experiment in EVERY_EXPERIMENT)


def test_the_registry_holds_seventeen_experiments_in_six_settings() -> None:
    names = [experiment.name for experiment in EXPERIMENTS]
    assert len(names) == len(set(names)) == 17
    assert SETTINGS == ("degeneracy", "suppression", "enhancement", "fact-checking", "overlap", "fine-tuning")
    assert sum(len(of_setting(setting)) for setting in SETTINGS) == 17


def test_controls_are_beyond_the_papers_and_have_settings_of_their_own() -> None:
    """What the paper reports is in the paper's list alone."""
    names = [experiment.name for experiment in EVERY_EXPERIMENT]
    assert len(names) == len(set(names)) == 17 + len(CONTROLS)
    assert CONTROL_SETTINGS == ("ablation", "sharing")
    assert not set(SETTINGS) & set(CONTROL_SETTINGS)
    assert all(of_setting(experiment.setting) == (experiment.name,) for experiment in CONTROLS)
    assert not any(experiment.claims or experiment.reported for experiment in CONTROLS)
