"""Means and paired differences over facts, as every summary states them, with keyed random draws."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings, estimate, paired_contrast


def mean_over_facts(
    frame: pd.DataFrame, column: str, settings: StatisticsSettings, purpose: str, key: str
) -> dict[str, Any]:
    """The mean of a column with its bootstrap interval over subjects.

    Args:
        frame: one row per fact, with a column ``subject``.
        column: of finite numbers.
        settings: of the bootstrap.
        purpose, key: of the random draws, beside the seed.
    Returns:
        mean, low, high, facts and subjects.
    """
    draw = generator(settings.seed, purpose, key)
    return estimate(frame[column], frame["subject"], settings.resamples, settings.confidence, draw).as_dict()


def paired_difference(
    first: pd.DataFrame, second: pd.DataFrame, column: str, settings: StatisticsSettings, purpose: str, key: str
) -> dict[str, Any]:
    """The mean of first minus second over the facts that both have, with its interval and permutation test.

    Args:
        first, second: indexed by fact, with a column ``subject``.
        column: of finite numbers.
        settings: of the bootstrap and the test.
        purpose, key: of the random draws, beside the seed.
    Returns:
        difference, low, high, p, facts and subjects.
    """
    facts = first.index.intersection(second.index, sort=True)
    return paired_contrast(
        first.loc[facts, column],
        second.loc[facts, column],
        first.loc[facts, "subject"],
        settings.resamples,
        settings.confidence,
        generator(settings.seed, purpose, key),
    ).as_dict()
