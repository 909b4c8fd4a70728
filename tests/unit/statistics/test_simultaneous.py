"""Intervals that hold together: Holm's procedure over both directions, and what is said of subjects that all agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dkn.statistics.simultaneous import Measured, simultaneous_intervals

ALPHA = 0.05


def family(differences: np.ndarray, se: float = 1.0, df: float = 30) -> dict[int, Measured]:
    return {number: Measured(float(difference), se, df) for number, difference in enumerate(differences)}


def test_a_single_contrast_has_the_common_t_interval() -> None:
    found = simultaneous_intervals({"a": Measured(0.4, 0.2, 12)}, ALPHA)["a"]
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 12, 0.4, 0.2))
    assert found.p == pytest.approx(2 * stats.t.sf(2, 12))


def test_open_contrasts_share_the_level_that_is_left() -> None:
    """One of three is rejected: five of six one-sided hypotheses are left for the others."""
    found = simultaneous_intervals(family(np.array([10.0, 0.1, -0.2])), ALPHA)
    assert [found[number].level for number in range(3)] == pytest.approx([ALPHA / 3, ALPHA / 2.5, ALPHA / 2.5])
    assert found[1].high - 0.1 == pytest.approx(stats.t.isf(ALPHA / 5, 30))


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=12), st.floats(0.001, 0.3))
def test_an_interval_excludes_the_value_exactly_if_p_is_small(differences: list[float], alpha: float) -> None:
    for interval in simultaneous_intervals(family(np.array(differences)), alpha).values():
        if abs(interval.p - alpha) > 1e-9:
            assert (interval.low > 0 or interval.high < 0) == (interval.p < alpha)


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=12))
def test_both_sides_are_treated_alike(differences: list[float]) -> None:
    mirrored = simultaneous_intervals(family(-np.array(differences)), ALPHA)
    for number, interval in simultaneous_intervals(family(np.array(differences)), ALPHA).items():
        assert (interval.low, interval.high) == pytest.approx((-mirrored[number].high, -mirrored[number].low))


def test_the_value_under_test_may_lie_beside_zero() -> None:
    """A difference of nought is far above minus the margin."""
    found = simultaneous_intervals({"a": Measured(0.0, 0.01, 50, value=-0.05)}, ALPHA)["a"]
    assert found.p < 0.001
    assert found.low > -0.05


@pytest.mark.parametrize("subjects", [10, 100])
def test_subjects_that_all_agree_leave_room_for_others(subjects: int) -> None:
    """The bound on the share of subjects that differ is Clopper and Pearson's for none of n."""
    found = simultaneous_intervals({"a": Measured(0.0, 0.0, subjects - 1)}, ALPHA)["a"]
    expected = stats.binomtest(0, subjects).proportion_ci(0.95, "exact").high
    assert (found.low, found.high) == pytest.approx((-expected, expected))
    assert found.p == 1


def test_subjects_that_all_differ_alike_are_evidence() -> None:
    found = simultaneous_intervals({"a": Measured(1.0, 0.0, 19)}, ALPHA)["a"]
    assert found.high == 1
    assert 0 < found.low < 1
    assert found.p < ALPHA


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_false_statements_of_a_family_are_as_rare_as_stated(shared: float) -> None:
    """A third of the contrasts has an effect; nothing false may be said of any, however they depend on each other."""
    draw, studies, contrasts, subjects = np.random.default_rng(0), 400, 12, 25
    truth = np.where(np.arange(contrasts) % 3 == 0, 0.6, 0.0)
    wrong = 0
    for _ in range(studies):
        noise = np.sqrt(1 - shared) * draw.normal(size=(subjects, contrasts)) + np.sqrt(shared) * draw.normal(
            size=(subjects, 1)
        )
        values = truth + noise
        se = values.std(axis=0, ddof=1) / np.sqrt(subjects)
        measured = {n: Measured(values[:, n].mean(), se[n], subjects - 1) for n in range(contrasts)}
        found = simultaneous_intervals(measured, ALPHA)
        wrong += any(
            truth[n] <= 0 if interval.low > 0 else truth[n] >= 0 if interval.high < 0 else misses(interval, truth[n])
            for n, interval in found.items()
        )
    assert wrong / studies <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / studies)


def misses(interval: object, truth: float) -> bool:
    return not interval.low <= truth <= interval.high  # type: ignore[attr-defined]
