"""Intervals of several contrasts that hold together, so that one rule decides for and against (docs/method.md).

Every contrast has two hypotheses, that it is at most the value under test and that it is at least that value. Holm's
procedure takes all of them in the order of their p: the level of each is alpha divided by the number of hypotheses that
are not yet rejected. It stops at the first one that is not rejected, and all that follow take its level. With
probability 1 - alpha every rejection is right, its direction included, and every other bound holds, however the
contrasts depend on each other (Holm 1979; the bounds: Strassburger and Bretz 2008).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Measured:
    """A difference that is compared with a value.

    Attributes:
        difference: the estimate.
        se: its standard error, at least zero.
        df: the degrees of freedom of the standard error, at least one.
        value: the value under test, which the interval must not hold.
    """

    difference: float
    se: float
    df: float
    value: float = 0.0


@dataclass(frozen=True)
class Interval:
    """An interval that holds together with those of the other contrasts.

    Attributes:
        low, high: its bounds.
        level: the share of alpha that the contrast got: alone, the interval has the confidence 1 - level.
        p: the two-sided p of the value under test, after the adjustment.
    """

    low: float
    high: float
    level: float
    p: float


def _largest_share(level: float, subjects: float) -> float:
    """Return how large the share of subjects may be that differ from all that were seen (Clopper and Pearson 1934)."""
    return float(1 - (level / 2) ** (1 / subjects))


def _bounds(measured: Measured, level: float) -> tuple[float, float]:
    """Return the bounds of the interval at a level.

    Without any spread between subjects the t interval is a point, which says too much: subjects that were not seen may
    differ. The bounds then are those of the share of such subjects, whose differences lie between -1 and 1.
    """
    difference = measured.difference
    if measured.se > 0:
        half = float(stats.t.isf(level / 2, measured.df)) * measured.se
        return difference - half, difference + half
    share, largest = _largest_share(level, measured.df + 1), max(1.0, abs(difference))
    return difference - share * (largest + difference), difference + share * (largest - difference)


def _p(measured: Measured) -> float:
    """Return the level at which a bound of the interval meets the value under test."""
    away = measured.difference - measured.value
    if measured.se > 0:
        return float(2 * stats.t.sf(abs(away) / measured.se, measured.df))
    if away == 0:
        return 1.0
    largest = max(1.0, abs(measured.difference))
    share = abs(away) / (largest + np.sign(away) * measured.difference)
    return float(min(1.0, 2 * max(0.0, 1 - share) ** (measured.df + 1)))


def simultaneous_intervals(family: Mapping[Hashable, Measured], alpha: float) -> dict[Hashable, Interval]:
    """Return an interval for every contrast of a family.

    Args:
        family: the contrasts.
        alpha: the probability, between 0 and 1, that anything said of the family by its intervals is wrong.
    Returns:
        For each contrast its interval. It excludes the value under test exactly if the adjusted p is at most alpha.
        Where it does, the guarantee is for the side on which the interval lies and for the bound that is farther from
        the value; otherwise it is for both bounds.
    """
    ps = {name: _p(measured) for name, measured in family.items()}
    found: dict[Hashable, Interval] = {}
    level, largest, stopped = alpha, 0.0, False
    for rank, name in enumerate(sorted(family, key=lambda name: ps[name])):
        # Of two hypotheses for each contrast one is rejected per rank. A two-sided level is that of two one-sided ones.
        left = len(family) - rank / 2
        if not stopped:
            level = alpha / left
            stopped = ps[name] > level
        largest = max(largest, min(1.0, left * ps[name]))
        found[name] = Interval(*_bounds(family[name], level), level, largest)
    return {name: found[name] for name in family}
