"""Intervals, permutation tests and Holm's adjustment (docs/method.md)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dkn.statistics import inference
from dkn.statistics.inference import (
    MIN_SUBJECTS,
    bootstrap_weights,
    estimate,
    holm,
    interval_without_spread,
    paired_contrast,
    sign_flip_p,
    with_holm,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_mean_is_over_facts_and_the_counts_are_stated() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0])
    subjects = np.array(["a", "a", "a", "b", "c", "d", "e"])
    found = estimate(values, subjects, 500, 0.95, generator())
    assert found.mean == pytest.approx(values.mean())
    assert (found.facts, found.subjects) == (7, 5)
    assert found.low < found.mean < found.high


def test_years_of_one_subject_do_not_narrow_the_interval() -> None:
    """Ten copies of each subject's value: an interval over facts would shrink by the root of ten."""
    draw = generator(1)
    values = draw.normal(size=30)
    once = estimate(values, np.arange(30).astype(str), 2000, 0.95, generator())
    copied = estimate(np.repeat(values, 10), np.repeat(np.arange(30), 10).astype(str), 2000, 0.95, generator())
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        draw = generator(seed)
        subjects = np.repeat(np.arange(40), 3)
        values = draw.normal(size=40)[subjects] + 0.3 * draw.normal(size=120)
        found = estimate(values, subjects, 400, 0.95, draw)
        covered += found.low <= 0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_is_that_of_scipys_bootstrap() -> None:
    """Draw for draw, from the same generator."""
    subjects = np.repeat(np.arange(30), generator().integers(1, 6, 30))
    values = generator(3).normal(size=len(subjects))
    sums, counts = (np.bincount(subjects, weights=weights) for weights in (values, np.ones_like(values)))
    expected = stats.bootstrap(
        (sums, counts),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=999,
        confidence_level=0.9,
        method="percentile",
        rng=generator(4),
    ).confidence_interval
    found = estimate(values, subjects, 999, 0.9, generator(4))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_at_the_edge_has_the_interval_of_clopper_and_pearson(value: float) -> None:
    found = estimate(np.full(39, value), np.arange(39), 100, 0.95, generator(), lowest=0.0)
    exact = stats.binomtest(int(39 * value), 39).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.high - found.low == pytest.approx(0.0903, abs=1e-4)


def test_facts_of_one_subject_are_one_trial_at_the_edge() -> None:
    found = estimate(np.ones(40), np.repeat(np.arange(10), 4), 100, 0.95, generator(), lowest=0.0)
    assert found.low == pytest.approx(0.025**0.1)
    few = estimate(np.ones(40), np.repeat(np.arange(4), 10), 100, 0.95, generator(), lowest=0.0)
    assert np.isnan(few.low)


def test_the_bounds_without_spread_lie_between_the_least_and_largest_share() -> None:
    for value in (-1.0, -0.5, 0.0, 1.0):
        low, high = interval_without_spread(value, 20, 0.95, lowest=-1.0)
        assert -1 <= low <= value <= high <= 1
        assert high - low == pytest.approx(2 * (1 - 0.025**0.05))


def test_shares_that_differ_and_other_numbers_have_percentiles() -> None:
    values = np.append(np.ones(38), 0.0)
    share, number = (estimate(values, np.arange(39), 500, 0.95, generator(), lowest) for lowest in (0.0, None))
    assert share == number
    zeros = estimate(np.zeros(39), np.arange(39), 100, 0.95, generator())
    assert zeros.low == zeros.high == 0
    same = paired_contrast(np.ones(39), np.ones(39), np.arange(39), 100, 0.95, generator(), lowest=-1.0)
    assert same.low == pytest.approx(-same.high)
    assert same.low < 0 == same.difference
    assert same.p == 1


def test_few_subjects_give_no_interval_and_none_give_no_mean() -> None:
    found = estimate(np.arange(MIN_SUBJECTS - 1.0), np.arange(MIN_SUBJECTS - 1), 100, 0.95, generator())
    assert np.isnan([found.low, found.high]).all()
    empty = estimate(np.zeros(0), np.zeros(0), 100, 0.95, generator())
    assert np.isnan(empty.mean)
    assert empty.facts == 0


def test_the_standard_error_of_single_facts_is_the_common_one() -> None:
    values = generator(1).normal(size=30)
    found = estimate(values, np.arange(30).astype(str), 100, 0.95, generator())
    assert found.se == pytest.approx(values.std(ddof=1) / np.sqrt(30))
    assert found.df == 29


def test_the_standard_error_is_about_the_spread_of_the_bootstrap() -> None:
    """Subjects of unequal numbers of facts, whose facts resemble each other."""
    subjects = np.repeat(np.arange(60), generator().integers(1, 6, 60))
    values = generator(2).normal(size=60)[subjects] + 0.3 * generator(3).normal(size=len(subjects))
    found = estimate(values, subjects, 4000, 0.6827, generator())
    assert found.se == pytest.approx((found.high - found.low) / 2, rel=0.06)


def test_one_subject_has_no_standard_error() -> None:
    assert np.isnan(estimate(np.arange(3.0), np.zeros(3), 100, 0.95, generator()).se)


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        estimate(np.array([1.0, np.nan]), np.array(["a", "b"]), 100, 0.95, generator())


def test_the_sign_flip_test_finds_an_effect_and_keeps_its_level() -> None:
    draw = generator(2)
    subjects = np.arange(40)
    first = draw.normal(size=40)
    effect = paired_contrast(first + 0.8, first + 0.1 * draw.normal(size=40), subjects, 999, 0.95, generator())
    assert effect.p < 0.01
    assert effect.low > 0
    ps = [
        paired_contrast(generator(s).normal(size=20), np.zeros(20), np.arange(20), 199, 0.95, generator(s)).p
        for s in range(200)
    ]
    assert 0.01 <= np.mean(np.array(ps) <= 0.05) <= 0.1


def test_the_sign_flip_test_is_exact_for_few_subjects() -> None:
    """Six subjects, all differences positive: two of 64 sign patterns are as extreme."""
    found = paired_contrast(np.ones(6), np.zeros(6), np.arange(6), 9999, 0.95, generator())
    assert found.p == pytest.approx(2 / 64)


@pytest.mark.parametrize("subjects", [2, 7, 12])
def test_all_patterns_give_what_scipy_gives(subjects: int) -> None:
    sums = generator(subjects).normal(0.4, 1, subjects)
    expected = stats.permutation_test(
        (sums,), lambda total, axis: total.sum(axis), permutation_type="samples", vectorized=True, n_resamples=10**6
    )
    assert sign_flip_p(sums, 2**subjects, generator()) == pytest.approx(expected.pvalue)


def test_random_patterns_come_near_all_of_them() -> None:
    sums = generator(3).normal(0.4, 1, 14)
    every, some = sign_flip_p(sums, 2**14, generator()), sign_flip_p(sums, 2**14 - 1, generator())
    assert every != some
    assert some == pytest.approx(every, abs=4 * np.sqrt(every * (1 - every) / 2**14))


def test_the_least_p_is_one_pattern_of_all() -> None:
    assert sign_flip_p(np.ones(60), 5000, generator()) == pytest.approx(1 / 5001)
    assert sign_flip_p(np.zeros(60), 5000, generator()) == 1
    assert np.isnan(sign_flip_p(np.ones(1), 5000, generator()))


def test_totals_that_are_equal_but_for_rounding_are_ties() -> None:
    """0.1 + 0.2 - 0.3 is no zero to a computer; every pattern of signs is at least as extreme as it is."""
    assert sign_flip_p(np.array([0.1, 0.2, -0.3]), 1000, generator()) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_monotone_and_never_below_the_raw_p(ps: list[float]) -> None:
    adjusted = holm({str(place): p for place, p in enumerate(ps)})
    values = np.array([adjusted[str(place)] for place in range(len(ps))])
    assert (values >= np.array(ps)).all()
    assert (values <= 1).all()
    assert (np.diff(values[np.argsort(ps, kind="stable")]) >= 0).all()


def test_holm_by_hand_and_with_missing() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": float("nan")})
    assert adjusted["a"] == pytest.approx(0.03)
    assert adjusted["c"] == pytest.approx(0.06)
    assert adjusted["b"] == pytest.approx(0.06)
    assert np.isnan(adjusted["d"])


def test_contrasts_are_adjusted_over_all_rows_or_over_those_of_a_family() -> None:
    rows = [
        {"name": "a", "metric": "drop", "p": 0.01},
        {"name": "b", "metric": "nats", "p": 0.04},
        {"name": "c", "metric": "drop", "p": 0.03},
        {"name": "d", "metric": "nats", "p": float("nan")},
    ]
    before = [dict(row) for row in rows]
    found = with_holm(rows)
    assert [row["p_holm"] for row in found[:3]] == pytest.approx([0.03, 0.06, 0.06])
    families = with_holm(rows, "metric")
    assert [row["p_holm"] for row in families[:3]] == pytest.approx([0.02, 0.04, 0.03])
    alone = with_holm(rows, "metric", "name")
    assert [row["p_holm"] for row in alone[:3]] == [0.01, 0.04, 0.03]
    for adjusted in (found, families, alone):
        assert np.isnan(adjusted[3]["p_holm"])
        assert [row["name"] for row in adjusted] == ["a", "b", "c", "d"]
    assert str(rows) == str(before), "what was given stays as it is"
    assert with_holm([]) == with_holm([], "metric") == []


def test_samples_do_not_depend_on_how_many_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of all resamples by all subjects would exceed the memory of a large study."""
    draw = np.random.default_rng(0)
    subjects, values = np.arange(203) // 2, draw.normal(size=203)

    def found() -> tuple[object, ...]:
        state = np.random.default_rng(1)
        estimated = estimate(values, subjects, 50, 0.95, state)
        weights = bootstrap_weights(102, 50, state)
        assert (weights.sum(1) == 102).all()
        return estimated, weights.tolist(), sign_flip_p(values, 3000, state), state.random()

    together = found()
    monkeypatch.setattr(inference, "AT_ONCE", 1000)
    assert found() == together
    sizes = [block.size for block in inference.bootstrap_blocks(102, 50, np.random.default_rng(1))]
    assert max(sizes) <= 1000
    assert sum(sizes) == 102 * 50
