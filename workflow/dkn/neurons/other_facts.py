"""The neuron sets of other facts: a fact's own set is specific to it if they matter less (docs/method.md)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator
from dkn.study.names import OTHER_FACT, OTHER_RELATION


def sets_of_other_facts(
    sets: Mapping[str, NeuronSet], facts: pd.DataFrame, kind: str, draws: int, seed: int
) -> dict[str, list[NeuronSet]]:
    """Draw for every fact the set of another fact several times, each cut at random to the size of the fact's own set.

    The other fact has another subject, and a set that is at least as large. It may have the same answer, and the two
    sets may share neurons, for what they share is not specific to either (``common_neurons`` counts them).

    Args:
        sets: the facts' own sets by fact id, such as their DKNs.
        facts: the columns subject and relation, indexed by fact id; it holds at least the facts of ``sets``.
        kind: ``OTHER_FACT``, whose other facts are of the same relation, or ``OTHER_RELATION``, whose are not.
        draws: how often another fact is drawn, independently of the times before.
        seed: the seed of the study, which keys the draws together with the kind and the fact.
    Returns:
        The drawn sets by fact id. Their neurons are in random order. A fact to which no other fact fits has none.
    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in (OTHER_FACT, OTHER_RELATION):
        raise ValueError(f"unknown kind of other facts {kind!r}")
    names = np.array(sorted(sets), dtype=object)
    subjects, relations = (facts.loc[names, column].to_numpy() for column in ("subject", "relation"))
    sizes = np.array([len(sets[name]) for name in names], dtype=int)
    drawn: dict[str, list[NeuronSet]] = {}
    for index, name in enumerate(names):
        same_relation = relations == relations[index]
        fits = (same_relation if kind == OTHER_FACT else ~same_relation) & (subjects != subjects[index])
        others = names[fits & (sizes >= sizes[index])]
        drawn[name] = []
        for repeat in range(draws) if len(others) else ():
            draw = generator(seed, f"{kind}/{repeat}", name)
            other = sets[others[draw.integers(len(others))]]
            drawn[name].append(other.take(draw.choice(len(other), sizes[index], replace=False)))
    return drawn
