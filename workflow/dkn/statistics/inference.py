"""Intervals and tests over facts (docs/method.md).

Facts about one subject (in different years, for example) are not independent. The bootstrap therefore resamples
subjects and not facts, and the permutation test changes the signs of subjects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

MIN_SUBJECTS = 5  # a bootstrap over fewer subjects says nothing
ROUNDING = 1e-12  # resamples that differ by less are equal
FLIPS_PER_RESAMPLE = 10  # so many that the smallest p survives Holm's adjustment over the contrasts of a setting
AT_ONCE = 2**20  # entries, at most, of a table of resamples or patterns by subjects, so that it stays in a cache
DRAWN_FLIPS = 1000  # patterns that are drawn at once; another number would draw other patterns


@dataclass(frozen=True)
class StatisticsSettings:
    """The settings of all intervals and tests.

    Attributes:
        resamples: the number of bootstrap resamples; permutation tests take ``FLIPS_PER_RESAMPLE`` times as many.
        confidence: the confidence of the intervals, between 0 and 1.
        seed: the seed of the study.
    """

    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Estimate:
    """A mean over facts with a bootstrap interval.

    Attributes:
        mean: the mean.
        low, high: the bounds of the interval, NaN where there are fewer than ``MIN_SUBJECTS`` subjects.
        se: the standard error of the mean, from the spread of subjects; NaN where there are fewer than two.
        df: its degrees of freedom.
        facts, subjects: the numbers of facts and of their subjects.
    """

    mean: float
    low: float
    high: float
    se: float
    df: float
    facts: int
    subjects: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the attributes by name."""
        return asdict(self)


@dataclass(frozen=True)
class Contrast:
    """A mean paired difference over facts, with a bootstrap interval and a permutation test.

    Attributes:
        difference: the mean of first minus second.
        low, high: the bounds of the interval, NaN where there are fewer than ``MIN_SUBJECTS`` subjects.
        p: the two-sided p of the permutation test, NaN where there are fewer than two subjects.
        se: the standard error of the difference, from the spread of subjects; NaN where there are fewer than two.
        df: its degrees of freedom.
        facts, subjects: the numbers of facts and of their subjects.
    """

    difference: float
    low: float
    high: float
    p: float
    se: float
    df: float
    facts: int
    subjects: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the attributes by name."""
        return asdict(self)


def _by_subject(values: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of the values of every subject, with the subjects in sorted order."""
    values = np.asarray(values, dtype=float)
    if np.isnan(values).any():
        raise ValueError("a value is missing: facts without the metric must be counted and left out before")
    subject, names = pd.factorize(np.asarray(subjects), sort=True)
    return np.bincount(subject, values, len(names)), np.bincount(subject, minlength=len(names)).astype(float)


def _rows_at_once(subjects: int) -> int:
    """Return how many resamples or patterns are computed at once: a multiple of four, as matrix products take rows."""
    return max(4, AT_ONCE // subjects // 4 * 4)


def bootstrap_blocks(subjects: int, resamples: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield how often bootstrap samples contain each subject, (some resamples, subjects) at a time.

    The sums over the samples are then products of these blocks with the sums of the subjects. The samples do not depend
    on the size of the blocks, which bounds memory.
    """
    step = _rows_at_once(subjects)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, subjects, (rows, subjects)) + subjects * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)


def bootstrap_weights(subjects: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return (resamples, subjects) how often each bootstrap sample contains each subject, as small whole numbers."""
    weights = np.empty((resamples, subjects), np.uint16)  # no subject is drawn 65,536 times
    done = 0
    for block in bootstrap_blocks(subjects, resamples, generator):
        weights[done : done + len(block)] = block
        done += len(block)
    return weights


def bootstrap_sums(
    parts: Sequence[np.ndarray], resamples: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the sums over bootstrap samples, (some resamples,) at a time, of each of several parts.

    Args:
        parts: (subjects,) or (subjects, numbers) what each subject adds.
        resamples: the number of bootstrap resamples.
        generator: the source of the resamples.
    """
    for block in bootstrap_blocks(len(parts[0]), resamples, generator):
        weights = block.astype(float)
        yield tuple(weights @ part for part in parts)


def interval_without_spread(value: float, subjects: int, confidence: float, lowest: float) -> tuple[float, float]:
    """Return the interval of a share, or of a difference between two, that is the same for all subjects.

    Resamples say nothing then: all of them are equal, however few the subjects. The bounds are those of Clopper and
    Pearson for the share of subjects that were not seen and lie at the other end, as if each subject were one trial.

    Args:
        value: the share or difference, from ``lowest`` to 1.
        subjects: the number of subjects.
        confidence: the confidence of the interval, between 0 and 1.
        lowest: 0 for a share, -1 for a difference.
    """
    unseen = float(stats.binomtest(0, subjects).proportion_ci(confidence, method="exact").high)
    return value - unseen * (value - lowest), value + unseen * (1 - value)


def percentile_interval(
    resampled: np.ndarray, subjects: int, confidence: float, lowest: float | None = None
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a number.

    Args:
        resampled: (resamples,) the number in each bootstrap sample.
        subjects: the number of subjects.
        confidence: the confidence of the interval, between 0 and 1.
        lowest: the least value of a share, as ``interval_without_spread`` takes it, whose interval it then is where all
            resamples are equal; None for other numbers.
    Returns:
        The lower and the upper bound; both are NaN for fewer than ``MIN_SUBJECTS`` subjects.
    """
    if subjects < MIN_SUBJECTS:
        return float("nan"), float("nan")
    if lowest is not None and np.ptp(resampled) <= ROUNDING:
        return interval_without_spread(float(resampled[0]), subjects, confidence, lowest)
    low, high = np.quantile(resampled, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def standard_error(sums: np.ndarray, counts: np.ndarray) -> float:
    """Return the standard error of a mean over facts whose subjects are independent (cluster-robust, linearised).

    Args:
        sums: (subjects,) the sum of the values of each subject.
        counts: (subjects,) the number of its values.
    Returns:
        The standard error; NaN for fewer than two subjects.
    """
    subjects, facts = len(sums), counts.sum()
    if subjects < 2:
        return float("nan")
    residuals = sums - counts * (sums.sum() / facts)
    return float(np.sqrt(subjects / (subjects - 1) * (residuals**2).sum()) / facts)


def estimates(
    values: np.ndarray,
    subjects: np.ndarray,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
    lowest: Sequence[float | None] | None = None,
) -> list[Estimate]:
    """Return the means of several numbers over the same facts, with intervals from the same bootstrap samples.

    Args:
        values: (facts, numbers) finite numbers.
        subjects, resamples, confidence, generator: as ``estimate`` takes them.
        lowest: for each number what ``estimate`` takes; None if no number is a share.
    Returns:
        An estimate for each number, which is the one that ``estimate`` gives with a generator in the same state.
    Raises:
        ValueError: a value is missing.
    """
    columns = np.asarray(values, dtype=float).T
    least = lowest or [None] * len(columns)
    if not len(values):
        missing = float("nan")
        return [Estimate(missing, missing, missing, missing, missing, 0, 0) for _ in columns]
    by_subject = [_by_subject(column, subjects) for column in columns]
    counted = by_subject[0][1]  # the same facts have every number
    parts = [*(sums for sums, _ in by_subject), counted]
    blocks = ([total / drawn[-1] for total in drawn[:-1]] for drawn in bootstrap_sums(parts, resamples, generator))
    found = []
    for (sums, counts), resampled, bound in zip(by_subject, zip(*blocks, strict=True), least, strict=True):
        low, high = percentile_interval(np.concatenate(resampled), len(sums), confidence, bound)
        mean, error = float(sums.sum() / counts.sum()), standard_error(sums, counts)
        found.append(Estimate(mean, low, high, error, len(sums) - 1.0, len(values), len(sums)))
    return found


def estimate(
    values: np.ndarray,
    subjects: np.ndarray,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
    lowest: float | None = None,
) -> Estimate:
    """Return the mean over facts with its bootstrap interval over subjects.

    Args:
        values: (facts,) one finite number per fact.
        subjects: (facts,) the subject of each fact.
        resamples: the number of bootstrap resamples.
        confidence: the confidence of the interval, between 0 and 1.
        generator: the source of the resamples.
        lowest: 0 for a share, -1 for a difference between two, and None for other numbers; see ``percentile_interval``.
    Returns:
        The estimate. Its mean is NaN where there are no facts.
    Raises:
        ValueError: a value is missing.
    """
    column = np.asarray(values, dtype=float)[:, None]
    return estimates(column, subjects, resamples, confidence, generator, [lowest])[0]


def sign_flip_p(sums: np.ndarray, flips: int, generator: np.random.Generator) -> float:
    """Return the two-sided p of a total if the sign of every subject's sum is as likely to be the other.

    Args:
        sums: (subjects,) the sum of the paired differences of each subject.
        flips: the number of random patterns of signs; where there are no more patterns than that, each is taken once.
        generator: the source of the patterns.
    Returns:
        A number above 0 and at most 1; NaN for fewer than two subjects.
    """
    observed, count = sums.sum(), len(sums)
    rounding = 1e-12 * np.abs(sums).sum()  # of totals that are equal but for the order of their terms
    if count < 2:
        return float("nan")
    every = count < 32 and 2**count <= flips
    patterns = 2**count if every else flips
    extreme, step = 0, _rows_at_once(count)
    for start in range(0, patterns, DRAWN_FLIPS):
        size = min(DRAWN_FLIPS, patterns - start)
        if every:
            kept = np.arange(start, start + size)[:, None] >> np.arange(count) & 1
        else:
            kept = generator.integers(0, 2, (size, count), dtype=np.int8)
        for first in range(0, size, step):
            totals = 2 * (kept[first : first + step].astype(float) @ sums) - observed
            extreme += int((np.abs(totals) >= abs(observed) - rounding).sum())
    return extreme / patterns if every else (extreme + 1) / (patterns + 1)


def paired_contrast(
    first: np.ndarray,
    second: np.ndarray,
    subjects: np.ndarray,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
    lowest: float | None = None,
) -> Contrast:
    """Return the mean of first minus second over facts, with a bootstrap interval and a sign-flip permutation test.

    Under the null hypothesis the difference of a subject is as likely to have the other sign.

    Args:
        first, second: (facts,) paired finite numbers.
        subjects: (facts,) the subject of each fact.
        resamples: the number of bootstrap resamples; the test takes ``FLIPS_PER_RESAMPLE`` times as many patterns.
        confidence: the confidence of the interval, between 0 and 1.
        generator: the source of the resamples and patterns.
        lowest: -1 for a difference between shares, None for others; see ``percentile_interval``.
    Returns:
        The contrast. All its numbers are NaN where there are no facts.
    Raises:
        ValueError: a value is missing.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if not len(difference):
        missing = float("nan")
        return Contrast(missing, missing, missing, missing, missing, missing, 0, 0)
    mean = estimate(difference, subjects, resamples, confidence, generator, lowest)
    sums, _ = _by_subject(difference, subjects)
    p = sign_flip_p(sums, FLIPS_PER_RESAMPLE * resamples, generator)
    return Contrast(mean.mean, mean.low, mean.high, p, mean.se, mean.df, mean.facts, mean.subjects)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Return p values with Holm's step-down adjustment over all of them; NaN stays NaN and does not count."""
    finite = {name: p for name, p in p_values.items() if np.isfinite(p)}
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(sorted(finite, key=finite.__getitem__)):
        largest = max(largest, min(1.0, (len(finite) - rank) * finite[name]))
        adjusted[name] = largest
    return {name: adjusted.get(name, float("nan")) for name in p_values}


def with_holm(rows: Sequence[Mapping[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Return contrasts with ``p_holm``, which is ``p`` after Holm's adjustment.

    Args:
        rows: the contrasts.
        keys: the names of values; the adjustment runs over the rows that agree in all of them, or over all rows.
    """
    families: dict[tuple[Any, ...], dict[str, float]] = {}
    for index, row in enumerate(rows):
        families.setdefault(tuple(row[key] for key in keys), {})[str(index)] = row["p"]
    adjusted = {index: p for family in families.values() for index, p in holm(family).items()}
    return [{**row, "p_holm": adjusted[str(index)]} for index, row in enumerate(rows)]
