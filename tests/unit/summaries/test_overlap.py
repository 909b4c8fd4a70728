"""The summary of overlap: chance by hand, and that nothing gives nothing."""

from __future__ import annotations

from math import comb

import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import DKN, RANDOM
from dkn.summaries.overlap import summarise, unions

STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)


def test_the_hypergeometric_p_by_hand() -> None:
    """Four neurons of ten in the set, three in the top, two of them shared."""
    curves = pd.DataFrame(
        [
            (name, draw, "both", 4, 10, 0.5, 3, overlap)
            for name, draw, overlap in ((DKN, 0, 2), (RANDOM, 0, 2), (RANDOM, 1, 1))
        ],
        columns=["neuron_set", "draw", "part", "neurons", "total", "auroc", "top", "overlap"],
    )
    row = next(row for row in unions(curves) if row["neuron_set"] == DKN)
    assert row["p_hypergeometric"] == pytest.approx((comb(4, 2) * 6 + comb(4, 3)) / comb(10, 3))
    assert row[f"p_{RANDOM}"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(1.2)


def test_nothing_trained_gives_an_empty_summary() -> None:
    empty = pd.DataFrame(columns=["part"])
    assert summarise(empty, empty, STATISTICS) == {"estimates": [], "contrasts": [], "unions": []}
