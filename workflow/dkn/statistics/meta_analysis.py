"""One number from several replicates of it: a meta-analysis with random effects (docs/method.md).

Each replicate has an estimate with a standard error. True values may differ between replicates, so an estimate differs
from the mean over all possible replicates by two errors: its own, and the replicate's distance from that mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import optimize, stats

FEWEST = 2  # replicates with a standard error that a combination needs


@dataclass(frozen=True)
class Combined:
    """The mean over all possible replicates, as a few of them tell it.

    Attributes:
        mean: the mean; NaN, as all numbers below, for fewer than ``FEWEST`` replicates.
        se: its standard error.
        df: its degrees of freedom, one less than there are replicates.
        low, high: the bounds of its interval.
        p: the two-sided p of the hypothesis that it is zero.
        tau: the standard deviation of the replicates' true values.
        i2: the share, from 0 to 1, of the estimates' variance that is due to it.
        replicates: how many replicates there are.
    """

    mean: float
    se: float
    df: float
    low: float
    high: float
    p: float
    tau: float
    i2: float
    replicates: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the attributes by name."""
        return asdict(self)


def _positive(errors: np.ndarray) -> np.ndarray:
    """Return standard errors in which the smallest positive one stands for those that are zero.

    An error is zero where all subjects agree, which a few more subjects might not have done; a weight without bound
    would make all other replicates count for nothing.
    """
    if not errors.any():
        return errors
    return np.where(errors > 0, errors, errors[errors > 0].min())


def between_variance(estimates: np.ndarray, errors: np.ndarray) -> float:
    """Return Paule and Mandel's estimate of the variance of the replicates' true values.

    It is the variance at which the weighted squares of the estimates' distances from their mean add up to their
    expectation, one less than there are replicates, and zero where they are less than that already without it.

    Args:
        estimates: (replicates,) at least ``FEWEST`` finite numbers.
        errors: (replicates,) their standard errors, all positive.
    """
    expected, largest = len(estimates) - 1, float(np.var(estimates, ddof=1))

    def excess(variance: float) -> float:
        weights = 1 / (errors**2 + variance)
        return float((weights * (estimates - np.average(estimates, weights=weights)) ** 2).sum()) - expected

    if largest == 0 or excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, largest, xtol=1e-9 * largest))


def combine(estimates: Sequence[float], errors: Sequence[float], confidence: float) -> Combined:
    """Return the mean over replicates with the interval of Hartung, Knapp, Sidik and Jonkman.

    Its standard error is that of the weighted mean, times a factor by which the estimates lie farther from it than
    their errors and ``tau`` explain. At Paule and Mandel's ``tau`` this factor is one, unless ``tau`` is zero; there it
    is at most one, and counts as one, so that replicates which agree by chance make no short interval.

    Args:
        estimates: (replicates,) finite numbers.
        errors: (replicates,) their standard errors, none below zero.
        confidence: the confidence of the interval, between 0 and 1.
    Returns:
        The combination. Where all errors are zero, it is the ordinary mean with its t interval.
    """
    values, missing = np.asarray(estimates, dtype=float), float("nan")
    if len(values) < FEWEST:
        return Combined(missing, missing, missing, missing, missing, missing, missing, missing, len(values))
    df, own = len(values) - 1, _positive(np.asarray(errors, dtype=float))
    variance = between_variance(values, own) if own.any() else float(np.var(values, ddof=1))
    weights = 1 / (own**2 + variance) if own.any() else np.ones(len(values))
    mean = float(np.average(values, weights=weights))
    error = float(weights.sum() ** -0.5) if own.any() else float(np.sqrt(variance / len(values)))
    reach = error * float(stats.t.ppf((1 + confidence) / 2, df))
    p = float(2 * stats.t.sf(abs(mean) / error, df)) if error else float(mean == 0)
    i2 = variance / (variance + _typical(own)) if variance else 0.0
    return Combined(mean, error, float(df), mean - reach, mean + reach, p, variance**0.5, i2, len(values))


def _typical(errors: np.ndarray) -> float:
    """Return the typical squared error of a replicate (Higgins and Thompson); zero where all errors are zero."""
    if not errors.any():
        return 0.0
    weights = errors**-2.0
    return float((len(errors) - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum()))
