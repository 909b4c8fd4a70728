"""Samples of facts by whole subjects: years of one subject are not independent (docs/method.md)."""

import pandas as pd

from dkn.randomness import generator


def sample_by_subject(facts: pd.DataFrame, limit: int | None, seed: int, purpose: str) -> pd.DataFrame:
    """All facts of randomly drawn subjects, as many subjects as it takes to have ``limit`` facts; None for all facts.

    A subject's rank depends on the seed, the purpose and its name only, so a larger sample contains a smaller one.

    Args:
        facts: a row per fact, with a column ``subject``; rows keep their order.
    """
    if limit is None:
        return facts
    rank = {name: generator(seed, purpose, name).random() for name in facts["subject"].unique()}
    counts = facts.groupby("subject").size().loc[sorted(rank, key=lambda name: (rank[name], name))]
    before = counts.cumsum() - counts
    return facts[facts["subject"].isin(before.index[before < limit])]
