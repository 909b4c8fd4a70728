"""The grid of settings in a whole study: it reuses the attributions, and a changed grid reruns the new points only."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.image import imread

from tests.short_study import Checkout, jobs_in, short_config

GRID = {"fractions": [0.2], "quantiles": [0.2], "tau1": [0.02, 0.05], "tau2": [0.1], "facts": 12, "partitions": 1}


def planned(study: Checkout, **changes: object) -> dict[str, int]:
    """How many jobs of each rule ``snakemake sensitivity`` would run with a changed grid."""
    study.configure({**short_config(), "sensitivity": {**GRID, **changes}})
    result = study.run("--dry-run", "sensitivity")
    study.configure(short_config())
    assert result.returncode == 0, result.stdout
    return jobs_in(result.stdout)


@pytest.fixture(scope="module")
def evaluated(study: Checkout) -> Checkout:
    """The study with a small grid evaluated."""
    assert not (study.path / "results" / "tables" / "sensitivity.csv").exists(), "not part of the default target"
    jobs = planned(study)
    assert jobs == {
        "sensitivity_records": 2,
        "table_sensitivity": 1,
        "figure_sensitivity": 1,
        "sensitivity": 1,
        "total": 5,
    }
    study.configure({**short_config(), "sensitivity": GRID})
    result = study.run("sensitivity")
    study.configure(short_config())
    assert result.returncode == 0, result.stdout[-4000:]
    return study


def test_the_grid_is_in_table_and_figure(evaluated: Checkout) -> None:
    results = evaluated.path / "results"
    table = pd.read_csv(results / "tables" / "sensitivity.csv")
    assert len(table) == 2 * 2 * (1 + 3), "all components, and those that pass one of three tests"
    assert (table["facts"] >= 12).all()
    assert table.groupby("model")["own_settings"].sum().to_dict() == {"gpt2-short": 1, "llama-short": 1}
    assert (results / "figures" / "sensitivity.pdf").read_bytes().startswith(b"%PDF")
    assert imread(results / "figures" / "sensitivity.png").std() > 0.05


def test_a_larger_grid_computes_the_new_points_only(evaluated: Checkout) -> None:
    jobs = planned(evaluated, quantiles=[0.2, 0.5])
    assert jobs["sensitivity_records"] == 2
    assert jobs.keys() == {"sensitivity_records", "table_sensitivity", "figure_sensitivity", "sensitivity", "total"}
    assert planned(evaluated) == {}, "the grid as it was"


def test_the_studys_own_settings_rerun_no_point(evaluated: Checkout) -> None:
    """Its own tau2 is only marked in the table."""
    evaluated.configure({**short_config(), "sensitivity": GRID, "functional_test": {"tau2": 0.3}})
    jobs = jobs_in(evaluated.run("--dry-run", "sensitivity").stdout)
    evaluated.configure(short_config())
    assert jobs.keys() == {"table_sensitivity", "figure_sensitivity", "sensitivity", "total"}
