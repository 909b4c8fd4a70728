"""Weighted means over facts, and sums and differences of such means, with intervals over subjects.

A mean over facts, a mean in which a fact with more records weighs more, and a quotient of two sums are all weighted
means: sum w v / sum w. A *combination* is a list of means with signs, such as a difference of two means whose facts
differ. One bootstrap over subjects, which draws the same subjects for all means, pairs whatever is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.statistics.inference import (
    FLIPS_PER_RESAMPLE,
    Contrast,
    bootstrap_sums,
    percentile_interval,
    sign_flip_p,
)


@dataclass(frozen=True)
class WeightedMean:
    """A weighted mean over facts.

    Attributes:
        facts: one row per fact, indexed by its id, with columns subject, value and weight (positive).
    """

    facts: pd.DataFrame

    @classmethod
    def of(cls, values: pd.Series, subjects: pd.Series, weights: pd.Series | None = None) -> WeightedMean:
        """Return the mean of values by fact; facts with a missing value, or of no weight, are left out.

        Args:
            values: a number for each fact, indexed by its id.
            subjects: the subject of each of these facts, and perhaps of others.
            weights: the weights of these facts; None gives all the same.
        """
        table = pd.DataFrame({"value": values, "weight": 1.0 if weights is None else weights}).astype(float)
        table = table[table["value"].notna() & (table["weight"] > 0)]
        return cls(table.assign(subject=subjects.reindex(table.index)))

    @property
    def mean(self) -> float:
        """The mean; NaN where there are no facts."""
        weight = self.facts["weight"]
        return float((weight * self.facts["value"]).sum() / weight.sum()) if len(weight) else float("nan")


Combination = Sequence[tuple[float, WeightedMean]]  # means, each with the factor that it is multiplied by


def change(after: Combination, before: Combination) -> Combination:
    """Return one combination minus another, each over its own facts."""
    return [*after, *((-sign, mean) for sign, mean in before)]


def paired(first: WeightedMean, second: WeightedMean) -> Combination:
    """Return the mean of first minus second over the facts that both have, in which all facts weigh the same."""
    values = first.facts["value"] - second.facts["value"]
    return [(1.0, WeightedMean.of(values.dropna(), first.facts["subject"]))]


def value_of(combination: Combination) -> float:
    """Return the value of a combination; NaN where one of its means has no facts."""
    return float(sum(sign * mean.mean for sign, mean in combination)) if combination else float("nan")


def measured(combination: Combination, resamples: int, confidence: float, generator: np.random.Generator) -> Contrast:
    """Return a combination with its interval and the test that it is zero.

    The interval is the percentile interval of a bootstrap over subjects, the standard error that of the linearised
    combination with subjects as clusters, and the test flips the signs of the subjects' parts of the combination. For
    one mean in which all facts weigh the same, these are what ``inference.paired_contrast`` gives.

    Args:
        combination: the means with their factors.
        resamples, confidence, generator: as ``inference.paired_contrast`` takes them.
    Returns:
        The combination; ``facts`` and ``subjects`` are those of its mean with the fewest. All numbers are NaN where a
        mean has no facts.
    """
    missing = float("nan")
    if not combination or any(mean.facts.empty for _, mean in combination):
        return Contrast(missing, missing, missing, missing, missing, missing, 0, 0)
    names = pd.Index(np.unique(np.concatenate([mean.facts["subject"].unique() for _, mean in combination])))
    sums, weights, signs = [], [], np.array([sign for sign, _ in combination])
    for _, mean in combination:
        subject = names.get_indexer(mean.facts["subject"])
        weight = mean.facts["weight"].to_numpy()
        sums.append(np.bincount(subject, weight * mean.facts["value"].to_numpy(), len(names)))
        weights.append(np.bincount(subject, weight, len(names)))
    numerators, denominators = np.array(sums), np.array(weights)  # (means, subjects)
    totals = denominators.sum(1)
    means = numerators.sum(1) / totals
    value = float(signs @ means)
    blocks = bootstrap_sums((numerators.T, denominators.T), resamples, generator)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold none of a mean's subjects
        resampled = np.concatenate([(above / below) @ signs for above, below in blocks])
    resampled = resampled[np.isfinite(resampled)]
    fewest = min(int((part > 0).sum()) for part in denominators)
    low, high = percentile_interval(resampled, fewest, confidence) if len(resampled) else (missing, missing)
    error = missing
    if len(names) > 1:
        residuals = (signs / totals) @ (numerators - means[:, None] * denominators)
        error = float(np.sqrt(len(names) / (len(names) - 1) * (residuals**2).sum()))
    p = sign_flip_p((signs / totals) @ numerators, FLIPS_PER_RESAMPLE * resamples, generator)
    facts = min(len(mean.facts) for _, mean in combination)
    return Contrast(value, low, high, p, error, len(names) - 1.0, facts, fewest)
