"""Intervals and tests over facts (docs/method.md).

Years of one subject are not independent, so subjects, not facts, are what is resampled and what changes sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

MIN_SUBJECTS = 5  # a bootstrap over fewer says nothing
FLIPS_PER_RESAMPLE = 10  # so that the least p survives Holm's adjustment over the contrasts of a setting


@dataclass(frozen=True)
class StatisticsSettings:
    """Bootstrap and permutation resamples, the intervals' confidence, and the study's seed."""

    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Estimate:
    """A mean over facts with a bootstrap interval; NaN bounds where there are fewer than MIN_SUBJECTS subjects."""

    mean: float
    low: float
    high: float
    facts: int
    subjects: int

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


@dataclass(frozen=True)
class Contrast:
    """A mean paired difference with its interval and the two-sided p of a sign-flip permutation test."""

    difference: float
    low: float
    high: float
    p: float
    facts: int
    subjects: int

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


def _by_subject(values: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts of values per subject, in the subjects' sorted order."""
    values = np.asarray(values, dtype=float)
    if np.isnan(values).any():
        raise ValueError("a value is missing: facts without the metric must be counted and left out before")
    whose, names = pd.factorize(np.asarray(subjects), sort=True)
    return np.bincount(whose, values, len(names)), np.bincount(whose, minlength=len(names)).astype(float)


def bootstrap_weights(subjects: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """(resamples, subjects) how often each subject is in each bootstrap sample: a sum over a sample is one product."""
    drawn = generator.integers(0, subjects, (resamples, subjects)) + subjects * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)


def percentile_interval(resampled: np.ndarray, subjects: int, confidence: float) -> tuple[float, float]:
    """The bootstrap interval of a number from its values in the samples; NaN for fewer than MIN_SUBJECTS subjects."""
    if subjects < MIN_SUBJECTS:
        return float("nan"), float("nan")
    low, high = np.quantile(resampled, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def estimate(
    values: np.ndarray, subjects: np.ndarray, resamples: int, confidence: float, generator: np.random.Generator
) -> Estimate:
    """Mean over facts, and its bootstrap interval over subjects.

    Args:
        values: (facts,) one finite number per fact.
        subjects: (facts,) whose fact it is.
    """
    if not len(values):
        return Estimate(float("nan"), float("nan"), float("nan"), 0, 0)
    sums, counts = _by_subject(values, subjects)
    weights = bootstrap_weights(len(sums), resamples, generator)
    low, high = percentile_interval((weights @ sums) / (weights @ counts), len(sums), confidence)
    return Estimate(float(sums.sum() / counts.sum()), low, high, len(values), len(sums))


def sign_flip_p(sums: np.ndarray, flips: int, generator: np.random.Generator) -> float:
    """Two-sided p of the sum of ``sums`` when each one's sign is as likely to be the other.

    Args:
        sums: (subjects,) of paired differences.
        flips: random patterns of signs; where there are no more patterns than that, each is taken once.
    """
    observed, count = sums.sum(), len(sums)
    if count < 2:
        return float("nan")
    every = count < 32 and 2**count <= flips
    patterns = 2**count if every else flips
    extreme = 0
    for start in range(0, patterns, 1000):
        size = min(1000, patterns - start)
        if every:
            kept = np.arange(start, start + size)[:, None] >> np.arange(count) & 1
        else:
            kept = generator.integers(0, 2, (size, count), dtype=np.int8)
        totals = 2 * (kept.astype(float) @ sums) - observed
        extreme += int((np.abs(totals) >= abs(observed) * (1 - 1e-12)).sum())
    return extreme / patterns if every else (extreme + 1) / (patterns + 1)


def paired_contrast(
    first: np.ndarray,
    second: np.ndarray,
    subjects: np.ndarray,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> Contrast:
    """Mean of first - second over facts, with a sign-flip test: under the null, a subject's difference is symmetric."""
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if not len(difference):
        missing = float("nan")
        return Contrast(missing, missing, missing, missing, 0, 0)
    mean = estimate(difference, subjects, resamples, confidence, generator)
    sums, _ = _by_subject(difference, subjects)
    p = sign_flip_p(sums, FLIPS_PER_RESAMPLE * resamples, generator)
    return Contrast(mean.mean, mean.low, mean.high, p, mean.facts, mean.subjects)


def beyond_draws(value: float, draws: np.ndarray) -> float:
    """Two-sided p of one value being a further draw: the t-test of a prediction, exact for normal draws.

    A control that was drawn at random and trained has a spread of its own, which resampling facts does not show.

    Args:
        value: the mean over facts of what is not random.
        draws: (draws,) the same of each random draw; fewer than two give NaN.
    """
    if len(draws) < 2:
        return float("nan")
    if np.allclose(draws, draws[0]):
        return float(np.isclose(value, draws[0]))
    error = np.std(draws, ddof=1) * np.sqrt(1 + 1 / len(draws))
    return float(2 * stats.t.sf(abs(value - np.mean(draws)) / error, len(draws) - 1))


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment over the contrasts of a setting; NaN stays NaN and does not count."""
    finite = {name: p for name, p in p_values.items() if np.isfinite(p)}
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(sorted(finite, key=finite.__getitem__)):
        largest = max(largest, min(1.0, (len(finite) - rank) * finite[name]))
        adjusted[name] = largest
    return {name: adjusted.get(name, float("nan")) for name in p_values}


def with_holm(rows: Sequence[Mapping[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Contrasts with ``p_holm``: their ``p`` adjusted over all rows, or over those that agree in the keys."""
    families: dict[tuple[Any, ...], dict[str, float]] = {}
    for place, row in enumerate(rows):
        families.setdefault(tuple(row[key] for key in keys), {})[str(place)] = row["p"]
    adjusted = {place: p for family in families.values() for place, p in holm(family).items()}
    return [{**row, "p_holm": adjusted[str(place)]} for place, row in enumerate(rows)]
