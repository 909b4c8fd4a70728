"""A sample of ``make torture`` with the shortened study; unit tests have samples of its configurations and facts."""

from __future__ import annotations

from pathlib import Path

from tests.short_study import Checkout, short_config
from tests.torture.damage import damages
from tests.torture.kills import Undisturbed, kills
from tests.torture.odd_paths import odd_paths
from tests.torture.outcomes import results_of
from tests.workflow_rules import ON_REQUEST

SEED = 14
MODEL = "gpt2-short"


def test_a_killed_study_ends_with_the_same_results(study: Checkout, tmp_path: Path) -> None:
    """Of one model of the two, killed five times, in another folder."""
    results = results_of(study.path / "results")
    of_model = {name: content for name, content in results.items() if name.startswith(("facts/", f"{MODEL}/"))}
    parts = {name: content for name, content in of_model.items() if not any(asked in name for asked in ON_REQUEST)}
    del parts[f"{MODEL}/explorer.html"]
    counts = kills(Undisturbed(short_config(("gpt2",)), ("experiments",), parts), 1, 5, SEED, tmp_path)
    assert not counts.faults
    assert counts.taken == 5


def test_damaged_files_are_refused_or_change_nothing(study: Checkout, tmp_path: Path) -> None:
    counts = damages(study, 120, SEED, tmp_path)
    assert not counts.faults, "\n".join(counts.faults)
    assert counts.refused > 75


def test_odd_names_are_taken_or_refused(study: Checkout, tmp_path: Path) -> None:
    counts = odd_paths(4, tmp_path, study.path / "results" / MODEL / "model")
    assert not counts.faults, "\n".join(counts.faults)
    assert counts.taken >= 2
