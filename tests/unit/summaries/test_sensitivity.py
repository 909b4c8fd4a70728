"""What every point of the grid says, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.summaries.sensitivity import grid_table

STATISTICS = StatisticsSettings(resamples=300, confidence=0.95, seed=0)


def made_records(gap: float, degenerate: int, tau2: float = 0.1, test: str = "sufficiency") -> pd.DataFrame:
    """Twenty facts of ten subjects at one point; the first ``degenerate`` have a gap that exceeds the control's."""
    number = np.arange(20)
    has = number < degenerate
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, 20)
    return pd.DataFrame(
        {
            "model": "m",
            "fact_id": [f"f{n}" for n in number],
            "subject": [f"s{n // 2}" for n in number],
            "fraction": 0.2,
            "quantile": 0.2,
            "tau1": 0.05,
            "selection": "candidate" if np.isnan(tau2) else "bdc",
            "test": None if np.isnan(tau2) else test,
            "tau2": tau2,
            "candidates": np.where(number < 16, 2, 0),
            "components": np.where(has, 2, 1),
            "drop_gap": np.where(has, 0.3 + gap + noise, np.nan),
            "nats_gap": np.where(has, 0.5 + 2 * gap + noise, np.nan),
            "control_drop_gap": np.where(has, 0.3, np.nan),
            "control_nats_gap": np.where(has, 0.5, np.nan),
        }
    )


OWN = {"fraction": 0.2, "quantile": 0.2, "tau1": 0.05, "test": "sufficiency", "tau2": 0.1}


def test_the_table_by_hand() -> None:
    parts = [made_records(0.1, 12), made_records(0.0, 6, 0.3), made_records(0.05, 16, np.nan), made_records(0, 0, 0.9)]
    table = grid_table(pd.concat(parts, ignore_index=True), OWN, STATISTICS).set_index("tau2")
    assert list(table.index[table["own_settings"]]) == [0.1]
    own = table.loc[0.1]
    assert (own["facts"], own["with_candidates"], own["degenerate"], own["degenerate_subjects"]) == (20, 16, 12, 6)
    assert own["coverage"] == pytest.approx(0.6)
    assert own["coverage_low"] < 0.6 < own["coverage_high"]
    assert own["drop_gap"] == pytest.approx(0.1, abs=0.01)
    assert own["nats_gap"] == pytest.approx(0.2, abs=0.01)
    assert 0 < own["drop_gap_low"] < own["drop_gap"] < own["drop_gap_high"]
    few = table.loc[0.3]
    assert few["degenerate_subjects"] == 3
    assert np.isnan(few["drop_gap_low"]), "three subjects give no interval"
    assert np.isfinite(few["drop_gap"])
    assert table.loc[0.9, "coverage"] == 0
    assert np.isnan(table.loc[0.9, "drop_gap"])
    assert table.index.isna().sum() == 1


def test_points_differ_by_the_test_and_only_one_is_the_studys_own() -> None:
    """A gap planted for one test is found there, and not at the same tau2 of another test."""
    parts = [made_records(0.1, 12), made_records(0.0, 16, test="absolute"), made_records(0.0, 14, test="compensation")]
    table = grid_table(pd.concat(parts, ignore_index=True), OWN, STATISTICS).set_index("test")
    assert table["degenerate"].to_dict() == {"sufficiency": 12, "absolute": 16, "compensation": 14}
    assert list(table.index[table["own_settings"]]) == ["sufficiency"]
    assert table.loc["sufficiency", "drop_gap_low"] > 0
    assert table.loc["absolute", "drop_gap_low"] < 0 < table.loc["absolute", "drop_gap_high"]
