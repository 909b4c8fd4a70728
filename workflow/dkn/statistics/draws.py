"""Differences that vary between facts and between draws (docs/method.md).

A draw is what a repetition would draw anew: random neurons, or the order in which a model is trained. Resampling facts
does not show how draws differ, because all facts of a draw share it. The variance of a difference therefore has a part
from facts and parts from draws, which are added. The spread of draws holds a little of the spread of facts as well, so
the sum is too large rather than too small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from dkn.statistics.inference import MIN_SUBJECTS

ROUNDING = 1e-12  # a standard error below this share of the numbers' size is a rounding error


@dataclass(frozen=True)
class Part:
    """A part of the variance of a difference, with the degrees of freedom of its estimate."""

    variance: float
    df: float


UNKNOWN = Part(float("nan"), float("nan"))


def of_one_more(draws: np.ndarray) -> Part:
    """Return the part of a difference between the mean of some draws and one more draw, as a prediction has it.

    Args:
        draws: (draws,) the mean over facts of each draw.
    Returns:
        (1 + 1/k) times the variance of k draws; NaN for fewer than two draws.
    """
    return Part((1 + 1 / len(draws)) * _variance(draws), len(draws) - 1.0) if len(draws) > 1 else UNKNOWN


def of_mean(draws: np.ndarray) -> Part:
    """Return the part of a mean over draws, which is 1/k times the variance of k draws; NaN for fewer than two draws.

    Args:
        draws: (draws,) the mean over facts of each draw.
    """
    return Part(_variance(draws) / len(draws), len(draws) - 1.0) if len(draws) > 1 else UNKNOWN


def of_two_sides(first: np.ndarray, second: np.ndarray) -> list[Part]:
    """Return the parts of a difference between the means of two independent sets of draws.

    Args:
        first, second: (draws,) the mean over facts of each draw of either side. A side of one draw is taken for one
            more draw of the other.
    Returns:
        One part or two; NaN where neither side has two draws.
    """
    if min(len(first), len(second)) > 1:
        return [of_mean(first), of_mean(second)]
    return [of_one_more(max(first, second, key=len))]


def with_draws(contrast: Mapping[str, Any], parts: Sequence[Part], confidence: float) -> dict[str, Any]:
    """Return a contrast whose interval and p hold over facts and draws.

    Both are of a t distribution whose degrees of freedom are Satterthwaite's. So p is below 1 - confidence exactly
    where the interval leaves out zero.

    Args:
        contrast: the difference over facts, as ``Contrast.as_dict`` of ``statistics.inference`` returns it.
        parts: the parts of its variance that draws make.
        confidence: the confidence of the interval, between 0 and 1.
    Returns:
        The contrast with other values of ``low``, ``high``, ``p``, ``se`` and ``df``, with the standard errors
        ``se_facts`` and ``se_draws`` of which ``se`` is made, and with ``p_facts``, the p of sign flips over subjects.
        Where nothing varies the bounds stay, since those of a t distribution would be a point, and ``p`` is ``p_facts``
        if there is a difference. Where a variance is unknown, all are NaN.
        The bounds are NaN too where there are fewer than ``MIN_SUBJECTS`` subjects.
    """
    difference, facts = contrast["difference"], Part(contrast["se"] ** 2, contrast["df"])
    of_draws = float(sum(part.variance for part in parts))
    total = facts.variance + of_draws
    se, df = float(np.sqrt(total)), _satterthwaite([facts, *parts])
    if se <= ROUNDING * max(1.0, abs(difference)):
        p = contrast["p"] if abs(difference) > ROUNDING else 1.0
    else:
        p = float(2 * stats.t.sf(abs(difference) / se, df))
    half = se * float(stats.t.ppf((1 + confidence) / 2, df)) if contrast["subjects"] >= MIN_SUBJECTS else float("nan")
    low, high = difference - half, difference + half
    if se <= ROUNDING * max(1.0, abs(difference)) and contrast["subjects"] >= MIN_SUBJECTS:
        low, high = contrast["low"], contrast["high"]
    return {
        **contrast,
        **{"low": low, "high": high, "p": p, "se": se, "df": df},
        **{"se_facts": contrast["se"], "se_draws": float(np.sqrt(of_draws)), "p_facts": contrast["p"]},
    }


def _variance(draws: np.ndarray) -> float:
    return float(np.var(draws, ddof=1))


def _satterthwaite(parts: Sequence[Part]) -> float:
    """Return the degrees of freedom of a sum of variances; where all of them are zero, those of the first."""
    total = sum(part.variance for part in parts)
    if not total > 0:
        return float(parts[0].df) if total == 0 else float("nan")
    return float(total**2 / sum(part.variance**2 / part.df for part in parts))
