"""Means and paired differences over facts, which all summaries state in the same way (docs/method.md).

Intervals are bootstrap intervals over subjects. The random draws of each number have a key of their own, so that a
number does not depend on which others are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings, estimate, estimates, paired_contrast
from dkn.statistics.weighted import Combination, change, measured, paired

# What is a share of a fact's questions, answers or neurons, from 0 to 1. Where all facts have the same, no resample
# differs, and the intervals are those of Clopper and Pearson. Drops of Prob have no least value.
SHARES = frozenset(
    {"accuracy", "regained", "lost", "prob", "share", "share_passing", "two_or_more", "coverage", "auroc"}
)


def _lowest(column: str, lowest: float) -> float | None:
    return lowest if column in SHARES else None


def mean_over_facts(
    frame: pd.DataFrame, column: str, settings: StatisticsSettings, purpose: str, key: str
) -> dict[str, Any]:
    """Return the mean of a column with its bootstrap interval over subjects.

    Args:
        frame: one row per fact, with a column ``subject``.
        column: the name of a column of finite numbers.
        settings: the number of resamples, the confidence and the seed.
        purpose, key: what keys the random draws, together with the seed.
    Returns:
        mean, low, high, facts and subjects. The bounds low and high are NaN where there are too few subjects.
    Raises:
        ValueError: a value is missing.
    """
    draw = generator(settings.seed, purpose, key)
    lowest = _lowest(column, 0.0)
    return estimate(frame[column], frame["subject"], settings.resamples, settings.confidence, draw, lowest).as_dict()


def means_over_facts(
    frame: pd.DataFrame,
    columns: Sequence[str],
    settings: StatisticsSettings,
    purpose: str,
    key: str,
    lowest: float = 0.0,
) -> dict[str, dict[str, Any]]:
    """Return the means of several columns by their names, with intervals from the same bootstrap samples.

    Args:
        frame, settings, purpose, key: as ``mean_over_facts`` takes them.
        columns: the names of columns of finite numbers.
        lowest: the least value of a share: 0, or -1 where the columns hold differences.
    Returns:
        For each column what ``mean_over_facts`` returns.
    Raises:
        ValueError: a value is missing.
    """
    draw = generator(settings.seed, purpose, key)
    values = frame[list(columns)].to_numpy(dtype=float)
    least = [_lowest(column, lowest) for column in columns]
    found = estimates(values, frame["subject"].to_numpy(), settings.resamples, settings.confidence, draw, least)
    return {column: of_column.as_dict() for column, of_column in zip(columns, found, strict=True)}


def paired_difference(
    first: pd.DataFrame, second: pd.DataFrame, column: str, settings: StatisticsSettings, purpose: str, key: str
) -> dict[str, Any]:
    """Return the mean of first minus second over the facts that both have, with its interval and permutation test.

    Args:
        first, second: tables indexed by fact, with a column ``subject``.
        column: the name of a column of finite numbers in both.
        settings: the number of resamples, the confidence and the seed.
        purpose, key: what keys the random draws, together with the seed.
    Returns:
        difference, low, high, p, facts and subjects. The bounds low and high are NaN where there are too few subjects.
    Raises:
        ValueError: a value is missing.
    """
    facts = first.index.intersection(second.index, sort=True)
    return paired_contrast(
        first.loc[facts, column],
        second.loc[facts, column],
        first.loc[facts, "subject"],
        settings.resamples,
        settings.confidence,
        generator(settings.seed, purpose, key),
        _lowest(column, -1.0),
    ).as_dict()


def minus(first: Combination, second: Combination) -> Combination:
    """Return the first combination minus the second: fact by fact where both are means in which all facts count once.

    Otherwise each is over its own facts, since facts that weigh differently on both sides make no pairs.
    """
    single = len(first) == len(second) == 1 and first[0][0] == second[0][0] == 1
    if single and all((mean.facts["weight"] == 1).all() for _, mean in (*first, *second)):
        return paired(first[0][1], second[0][1])
    return change(first, second)


def contrast_row(combination: Combination, settings: StatisticsSettings, key: str) -> dict[str, Any]:
    """Return a combination with its interval and test, as ``paired_difference`` states a difference.

    Args:
        combination: what is estimated.
        settings: the number of resamples, the confidence and the seed.
        key: what keys the random draws, together with the seed.
    """
    draw = generator(settings.seed, "weighted", key)
    return measured(combination, settings.resamples, settings.confidence, draw).as_dict()


def estimate_row(combination: Combination, settings: StatisticsSettings, key: str) -> dict[str, Any]:
    """Return a combination with its interval, as ``mean_over_facts`` states a mean.

    Args:
        combination, settings, key: as ``contrast_row`` takes them.
    """
    row = contrast_row(combination, settings, key)
    return {"mean": row["difference"], **{name: row[name] for name in ("low", "high", "se", "df", "facts", "subjects")}}
