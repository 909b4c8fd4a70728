"""Samples of facts that consist of whole subjects, because the facts of one subject are not independent."""

import pandas as pd

from dkn.randomness import generator


def sample_by_subject(facts: pd.DataFrame, limit: int | None, seed: int, purpose: str) -> pd.DataFrame:
    """Return all facts of as many randomly drawn subjects as it takes to have ``limit`` facts.

    A subject's rank in the draw depends on the seed, the purpose and its name only, so that a larger sample contains a
    smaller one.

    Args:
        facts: one row per fact, with a column ``subject``; rows keep their order.
        limit: the number of facts, which the last subject may exceed; None takes all facts.
        purpose: a word that keys the draw, so that draws for different purposes are independent.
    """
    if limit is None:
        return facts
    rank = {name: generator(seed, purpose, name).random() for name in facts["subject"].unique()}
    counts = facts.groupby("subject").size().loc[sorted(rank, key=lambda name: (rank[name], name))]
    before = counts.cumsum() - counts
    return facts[facts["subject"].isin(before.index[before < limit])]
