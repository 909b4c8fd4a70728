"""Which facts the neuron explorer shows: a sample, so that its page opens in a browser whatever the study's size."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from dkn.randomness import generator


def choose_facts(fact_ids: Collection[str], degenerate: Collection[str], count: int | None, seed: int) -> list[str]:
    """Return a random sample of facts in ascending order.

    Half of the sample are degenerate facts, as far as there are enough of either kind.

    Args:
        fact_ids: the facts to choose from.
        degenerate: those that are degenerate.
        count: how many are chosen; None for all.
        seed: the seed of the study, which keys the draws together with the fact ids.
    """
    if count is None or len(fact_ids) <= count:
        return sorted(fact_ids)
    order = sorted(fact_ids, key=lambda fact: (generator(seed, "explorer", fact).random(), fact))
    chosen = [fact for fact in order if fact in degenerate]
    others = [fact for fact in order if fact not in degenerate]
    taken = min(len(chosen), max(count - count // 2, count - len(others)))
    return sorted(chosen[:taken] + others[: count - taken])


@dataclass(frozen=True)
class Choice:
    """Which facts the page shows, and of how many.

    Attributes:
        shown: the chosen facts.
        degenerate: all degenerate facts.
        attributed, facts: the numbers of facts with knowledge neurons, and of all facts.
        layers: the number of the model's layers up to the highest with a knowledge neuron.
    """

    shown: Sequence[str]
    degenerate: Collection[str]
    attributed: int
    facts: int
    layers: int

    @classmethod
    def of(cls, neurons: pd.DataFrame, components: pd.DataFrame, facts: int, most: int | None, seed: int) -> Choice:
        """Choose the facts.

        Args:
            neurons: the columns fact_id and layer of ``schemas.KNOWLEDGE_NEURONS``; equal rows need not be there twice.
            components: the columns fact_id and kept of ``schemas.COMPONENTS``.
            facts: the number of all facts.
            most: how many facts are shown; None for all.
            seed: the seed of the study.
        """
        bdcs = components.groupby("fact_id")["kept"].sum()
        degenerate, attributed = set(bdcs.index[bdcs >= 2]), set(neurons["fact_id"])
        shown = choose_facts(attributed, degenerate, most, seed)
        return cls(shown, degenerate, len(attributed), facts, int(neurons["layer"].max()) + 1 if attributed else 0)
