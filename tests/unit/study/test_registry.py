"""The registry is what the documentation and the rules say it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dkn.study.registry import EXPERIMENTS, GROUPINGS, SETTINGS, of_setting, of_study

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_every_experiment_is_documented(experiment: Any) -> None:
    row = f"| `{experiment.name}` | {experiment.question} | {experiment.metric} | {', '.join(experiment.claims)} |"
    assert row in (ROOT / "docs" / "method.md").read_text().splitlines()


def test_a_study_leaves_out_groupings_it_does_not_have() -> None:
    names = of_study(["ntc", "kmeans", "hdbscan"])
    assert {name for name in names if name.startswith("degeneracy")} == {"degeneracy-ntc", "degeneracy-kmeans"}
    assert len(of_study(GROUPINGS)) == 17


def test_the_registry_holds_seventeen_experiments_in_six_settings() -> None:
    names = [experiment.name for experiment in EXPERIMENTS]
    assert len(names) == len(set(names)) == 17
    assert SETTINGS == ("degeneracy", "suppression", "enhancement", "fact-checking", "overlap", "fine-tuning")
    assert sum(len(of_setting(setting)) for setting in SETTINGS) == 17
