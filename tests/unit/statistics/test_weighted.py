"""Weighted means over facts and their combinations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import paired_contrast
from dkn.statistics.weighted import WeightedMean, change, measured, paired, value_of

RESAMPLES = 300


def made_up(seed: int, facts: int = 40, subjects: int = 12) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Values, subjects and weights by fact."""
    draw = np.random.default_rng(seed)
    ids = [f"f{number}" for number in range(facts)]
    names = pd.Series([f"s{number}" for number in draw.integers(0, subjects, facts)], index=ids)
    return pd.Series(draw.normal(1, 1, facts), index=ids), names, pd.Series(draw.integers(1, 9, facts), index=ids)


def test_a_paired_difference_is_that_of_the_studys_contrasts() -> None:
    first, subjects, _ = made_up(0)
    second, _, _ = made_up(1)
    expected = paired_contrast(
        first.to_numpy(), second.to_numpy(), subjects.to_numpy(), RESAMPLES, 0.95, np.random.default_rng(5)
    )
    terms = paired(WeightedMean.of(first, subjects), WeightedMean.of(second, subjects))
    found = measured(terms, RESAMPLES, 0.95, np.random.default_rng(5))
    assert found.as_dict() == pytest.approx(expected.as_dict(), rel=1e-12)


def test_weights_count_as_often_as_they_say() -> None:
    values, subjects, weights = made_up(2)
    repeated = np.repeat(values.to_numpy(), weights)
    assert WeightedMean.of(values, subjects, weights).mean == pytest.approx(repeated.mean())


def test_a_change_is_over_the_own_facts_of_both_sides() -> None:
    values, subjects, _ = made_up(3)
    before, after = WeightedMean.of(values.iloc[:30], subjects), WeightedMean.of(values.iloc[10:], subjects)
    terms = change([(1.0, after)], [(1.0, before)])
    expected = values.iloc[10:].mean() - values.iloc[:30].mean()
    assert value_of(terms) == pytest.approx(expected)
    assert measured(terms, RESAMPLES, 0.95, np.random.default_rng(0)).difference == pytest.approx(expected)


def test_the_bootstrap_pairs_what_is_compared() -> None:
    """A number minus itself plus a constant has no spread, whatever its facts are."""
    values, subjects, weights = made_up(4)
    one, more = WeightedMean.of(values, subjects, weights), WeightedMean.of(values + 3, subjects, weights)
    found = measured(change([(1.0, more)], [(1.0, one)]), RESAMPLES, 0.95, np.random.default_rng(0))
    assert (found.difference, found.low, found.high) == pytest.approx((3, 3, 3))
    assert found.se == pytest.approx(0, abs=1e-12)


def test_the_error_of_a_quotient_is_near_that_of_its_resamples() -> None:
    values, subjects, weights = made_up(5, facts=400, subjects=120)
    terms = [(1.0, WeightedMean.of(values, subjects, weights))]
    found = measured(terms, 4000, 0.95, np.random.default_rng(0))
    assert found.se == pytest.approx((found.high - found.low) / (2 * 1.96), rel=0.08)


def test_what_has_no_facts_has_no_number() -> None:
    values, subjects, _ = made_up(6)
    nothing = WeightedMean.of(values * np.nan, subjects)
    assert np.isnan(value_of([(1.0, nothing)]))
    found = measured([(1.0, WeightedMean.of(values, subjects)), (-1.0, nothing)], 100, 0.95, np.random.default_rng(0))
    assert np.isnan(found.difference)
    assert found.facts == 0


def test_facts_without_a_weight_or_a_value_are_left_out() -> None:
    values, subjects, weights = made_up(7)
    values.iloc[0], weights.iloc[1] = np.nan, 0
    mean = WeightedMean.of(values, subjects, weights)
    assert len(mean.facts) == len(values) - 2
