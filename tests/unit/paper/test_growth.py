"""Numbers against model size: when they count as growing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from dkn.paper.growth import growth, verdicts
from dkn.paper.verdicts import CONTRADICTED, EQUIVALENT, INCONCLUSIVE, NOT_RUN, SUPPORTED, TOO_FEW, Thresholds

THRESHOLDS = Thresholds(0.05, {"drop": 0.02}, 10)
Row = dict[str, Any]


def sized(*means: float, se: float = 0.04, subjects: int = 40) -> list[Row]:
    numbers = {"se": se, "df": subjects - 1.0, "facts": 2 * subjects, "subjects": subjects}
    return [
        {"model": f"m{size}", "parameters": 10**size, "mean": mean, "low": mean - 0.1, "high": mean + 0.1, **numbers}
        for size, mean in enumerate(means)
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (sized(0.1, 0.3, 0.5), SUPPORTED),
        (sized(0.1, 0.6, 0.5), INCONCLUSIVE),
        (sized(0.1, 0.15, 0.2), INCONCLUSIVE),
        (sized(0.5, 0.3, 0.1), CONTRADICTED),
        (sized(0.1, 0.3, 0.1, se=0.003), EQUIVALENT),
        (sized(0.1, 0.5), NOT_RUN),
        (sized(0.1, 0.3, 0.5, subjects=9), TOO_FEW),
        ([*sized(0.1, 0.5, 0.7)[:2], {**sized(0.1, 0.5, 0.7)[2], "se": None}], TOO_FEW),
    ],
)
def test_growth_needs_three_sizes_and_an_interval(rows: list[Row], expected: str) -> None:
    assert growth(rows, THRESHOLDS)["verdict"] == expected


def test_the_contrast_is_welchs() -> None:
    draw = np.random.default_rng(0)
    samples = [draw.normal(0, 1, 20), draw.normal(0.3, 1, 30), draw.normal(0.5, 2, 40)]
    rows = [
        {"model": str(n), "parameters": n, "mean": values.mean(), "subjects": len(values), "df": len(values) - 1.0}
        | {"se": values.std(ddof=1) / np.sqrt(len(values))}
        for n, values in enumerate(samples)
    ]
    found, expected = growth(rows, THRESHOLDS), stats.ttest_ind(samples[2], samples[0], equal_var=False)
    assert found["p_adjusted"] == pytest.approx(expected.pvalue)
    assert (found["low"], found["high"]) == pytest.approx(expected.confidence_interval(0.95))


def test_each_reading_has_its_metric() -> None:
    rows = [{**row, "metric": "degeneracy"} for row in sized(0.1, 0.3, 0.5)]
    rows += [{**row, "metric": "degeneracy-beyond-control"} for row in sized(0.5, 0.3, 0.1)]
    found = {row["reading"]: row["verdict"] for row in verdicts(rows, None, THRESHOLDS)}
    assert found == {"primary": CONTRADICTED, "literal": SUPPORTED}
