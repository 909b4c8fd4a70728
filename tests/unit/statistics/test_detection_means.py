"""Metrics of detectors as weighted means over facts, against those of the fact-checking summary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.detection import Scores, by_draw, detection_estimates
from dkn.statistics.detection_means import detector_mean
from dkn.statistics.weighted import measured, value_of

METRICS = ["balanced_accuracy", "f1", "auroc"]


def made_up(seed: int, facts: int = 60, fixed: float | None = None) -> Scores:
    """Scores of a true and a false statement of every fact, of which true ones are higher; a fifth are ties."""
    draw = np.random.default_rng(seed)
    rows = [
        (f"f{number:03}", f"s{number // 2}", truth, np.round(draw.normal(0.8 * truth, 1), 1))
        for number in range(facts)
        for truth in (True, False)
    ]
    table = pd.DataFrame(rows, columns=["fact_id", "subject", "truth", "score"])
    return Scores(table.iloc[: facts // 2], table, fixed)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("fixed", [None, 0.5])
def test_a_metric_is_that_of_the_summary(metric: str, fixed: float | None) -> None:
    detector = [made_up(seed, fixed=fixed) for seed in (0, 1, 2)]
    assert value_of(detector_mean(detector, metric)) == pytest.approx(by_draw(detector)[metric].mean())


@pytest.mark.parametrize("metric", METRICS)
def test_the_error_is_near_that_of_the_summary(metric: str) -> None:
    """The threshold is fixed, so that the summary's error is that of the test subjects alone, too."""
    detector = [made_up(3, facts=300, fixed=0.5)]
    expected = detection_estimates(detector, 2000, 0.95, np.random.default_rng(0))[metric]
    found = measured(detector_mean(detector, metric), 100, 0.95, np.random.default_rng(0))
    assert found.se == pytest.approx(expected.se, rel=0.06)


def test_other_metrics_are_no_such_mean() -> None:
    with pytest.raises(ValueError, match="no weighted mean gives 'precision'"):
        detector_mean([made_up(0)], "precision")
