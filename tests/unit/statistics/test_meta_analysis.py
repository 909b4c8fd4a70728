"""Meta-analysis over replicates: published numbers, limits, and whether its intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dkn.statistics.meta_analysis import Combined, between_variance, combine

# The 13 trials of the BCG vaccine (Colditz et al. 1994): cases and others among the vaccinated and in the control.
TRIALS = [
    *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761)),
    *((180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232)),
    *((17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)),
]
SEEDS, STUDIES = 5, 1000
SPREADS = {"no heterogeneity": 0.0, "some": 1.0, "large": 6.0}


def log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    """The trials' log risk ratios and their standard errors."""
    cases, others, control_cases, control_others = np.array(TRIALS, dtype=float).T
    treated, control = cases + others, control_cases + control_others
    errors = np.sqrt(1 / cases - 1 / treated + 1 / control_cases - 1 / control)
    return np.log((cases / treated) / (control_cases / control)), errors


def simulated(
    mean: float, spread: float, shared: float = 0.0, given_facts: bool = False
) -> list[tuple[Combined, float]]:
    """Combinations of studies of five seeds, each with the true value that its interval is to hold.

    The seeds' errors differ; ``spread`` is the standard deviation between seeds in typical errors, and ``shared`` the
    share of the errors' variance that comes from the facts, which are the same for all seeds of a study. The true value
    is the mean over seeds, of the study's own facts or of all facts.
    """
    draw = np.random.default_rng(3)
    found = []
    for _ in range(STUDIES):
        errors = draw.uniform(0.6, 1.4, SEEDS)
        of_facts = np.sqrt(shared) * draw.normal()
        noise = np.sqrt(1 - shared) * errors * draw.normal(size=SEEDS)
        values = mean + of_facts + spread * draw.normal(size=SEEDS) + noise
        found.append((combine(values, errors, 0.95), mean + of_facts if given_facts else mean))
    return found


def share(outcomes: list[bool]) -> tuple[float, float]:
    """The share of studies with an outcome, and twice the standard error of a share of 5 or 95 %."""
    return float(np.mean(outcomes)), 2 * float(np.sqrt(0.05 * 0.95 / len(outcomes)))


# --- known answers ------------------------------------------------------------------------------------------


def test_the_trials_of_a_vaccine_give_the_published_variance() -> None:
    """Paule and Mandel's estimate is the empirical Bayes one: 0.3181 (Viechtbauer 2010, of these trials)."""
    values, errors = log_risk_ratios()
    found = combine(values, errors, 0.95)
    assert found.tau**2 == pytest.approx(0.3181, abs=1e-4)
    assert found.mean == pytest.approx(-0.715, abs=1e-3)
    assert found.i2 == pytest.approx(0.92, abs=0.01)
    assert found.df == 12


def test_at_the_estimated_variance_the_squares_are_as_expected() -> None:
    values, errors = log_risk_ratios()
    weights = 1 / (errors**2 + between_variance(values, errors))
    squares = weights * (values - np.average(values, weights=weights)) ** 2
    assert squares.sum() == pytest.approx(len(values) - 1)


def test_equal_errors_give_the_ordinary_t_interval() -> None:
    """Seeds that differ by far more than their errors are as many observations of one mean."""
    values = [0.1, 0.5, 0.2, 0.9, 0.4]
    found, ordinary = combine(values, [0.01] * 5, 0.9), stats.ttest_1samp(values, 0)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(tuple(ordinary.confidence_interval(0.9)))
    assert found.p == pytest.approx(ordinary.pvalue)
    assert found.i2 > 0.99


def test_seeds_that_agree_by_chance_make_no_short_interval() -> None:
    """Three equal estimates have no spread at all; their errors still count, with two degrees of freedom."""
    found = combine([0.2, 0.2, 0.2], [0.1, 0.1, 0.1], 0.95)
    assert (found.tau, found.i2) == (0, 0)
    assert found.se == pytest.approx(0.1 / np.sqrt(3))
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 2) * found.se)


def test_the_scale_of_the_numbers_does_not_matter() -> None:
    values, errors = log_risk_ratios()
    small, found = combine(1e-6 * values, 1e-6 * errors, 0.95), combine(values, errors, 0.95)
    assert small.low == pytest.approx(1e-6 * found.low, rel=1e-5)
    assert (small.p, small.i2) == pytest.approx((found.p, found.i2), rel=1e-5)


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[], [0.3]])
def test_fewer_than_two_seeds_are_not_combined(values: list[float]) -> None:
    found = combine(values, [0.1] * len(values), 0.95)
    assert found.replicates == len(values)
    assert np.isnan([found.mean, found.low, found.high, found.p, found.tau]).all()


def test_an_error_of_zero_does_not_outweigh_all_others() -> None:
    found = combine([1.0, 0.0, 0.1, 0.2], [0.0, 0.2, 0.2, 0.2], 0.95)
    assert found.mean == pytest.approx(combine([1.0, 0.0, 0.1, 0.2], [0.2] * 4, 0.95).mean)


def test_without_any_error_the_seeds_are_plain_observations() -> None:
    found, ordinary = combine([0.1, 0.3, 0.2], [0, 0, 0], 0.95), stats.ttest_1samp([0.1, 0.3, 0.2], 0)
    assert (found.mean, found.p) == pytest.approx((0.2, ordinary.pvalue))
    nothing = combine([0, 0, 0], [0, 0, 0], 0.95)
    assert (nothing.low, nothing.high, nothing.p, nothing.i2) == (0, 0, 1, 0)


# --- what the intervals promise -----------------------------------------------------------------------------


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_intervals_over_five_seeds_hold_the_truth(spread: float) -> None:
    covered, tolerance = share([found.low <= truth <= found.high for found, truth in simulated(1.0, spread)])
    assert covered >= 0.95 - tolerance


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_planted_null_is_called_an_effect_at_the_stated_rate(spread: float) -> None:
    wrong, tolerance = share([found.p < 0.05 for found, _ in simulated(0.0, spread)])
    assert wrong <= 0.05 + tolerance


def test_a_planted_effect_is_found() -> None:
    """Of three errors of a seed, where seeds do not differ; it takes more where they do."""
    assert share([found.p < 0.05 for found, _ in simulated(3.0, 0.0)])[0] > 0.95
    assert share([found.p < 0.05 for found, _ in simulated(3.0, 6.0)])[0] < 0.5


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_shared_facts_leave_the_interval_valid_for_these_facts(spread: float) -> None:
    studies = simulated(1.0, spread, shared=0.5, given_facts=True)
    covered, tolerance = share([found.low <= truth <= found.high for found, truth in studies])
    assert covered >= 0.95 - tolerance


def test_shared_facts_make_the_interval_too_short_for_other_facts() -> None:
    """So the interval is stated to be about these facts; those of single models are about facts."""
    covered, tolerance = share([found.low <= truth <= found.high for found, truth in simulated(1.0, 0.0, shared=0.5)])
    assert covered < 0.95 - tolerance
