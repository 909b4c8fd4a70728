"""Pairs of degenerate neurons as AMIG defines them; it is the only grouping that looks at the model's answers.

The *cost* of suppressing some of a fact's knowledge neurons is the drop in the probability of the fact's answer (Prob),
as a share of the drop when all of them are suppressed. A suppression *matters* when its cost exceeds a threshold. Two
neurons that do not matter alone are a pair of degenerate neurons when suppressing both of them matters.

A neuron is named by its *place*, its index among the fact's knowledge neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet


def disjoint_pairs(pairs: Sequence[tuple[int, int]], cost: np.ndarray) -> list[np.ndarray]:
    """Return pairs without a common neuron, taken greedily: the costliest pair first, on a tie the lower places.

    Args:
        pairs: pairs of places.
        cost: (pairs,), the cost of suppressing each pair.
    Returns:
        The pairs taken, each ascending, in the order of their first places.
    """
    taken: set[int] = set()
    disjoint = []
    for index in sorted(range(len(pairs)), key=lambda index: (-cost[index], pairs[index])):
        if taken.isdisjoint(pairs[index]):
            taken.update(pairs[index])
            disjoint.append(np.array(sorted(pairs[index])))
    return sorted(disjoint, key=lambda pair: int(pair[0]))


def _costs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: Sequence[NeuronSet],
    edits: Sequence[Sequence[Sequence[int]]],
) -> list[np.ndarray]:
    """Return for each fact the cost of each suppression, (suppressions,).

    A fact's costs are NaN where suppressing all its knowledge neurons does not lower Prob, so that nothing matters.

    Args:
        members: for each fact its knowledge neurons.
        edits: for each fact the suppressions, each a list of places.
    """
    variants = [
        [NO_NEURONS, neurons, *(neurons.take(places) for places in suppressed)]
        for neurons, suppressed in zip(members, edits, strict=True)
    ]
    costs = []
    for log_probs in answer_log_probs(adapter, facts, variants):
        prob = np.exp(log_probs.sum(1))
        full_drop = prob[0] - prob[1]
        costs.append((prob[0] - prob[2:]) / full_drop if full_drop > 0 else np.full(len(prob) - 2, np.nan))
    return costs


def amig_pairs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    scores: dict[str, np.ndarray],
    tried: int,
    matters: float,
) -> dict[str, list[np.ndarray]]:
    """Find disjoint pairs of degenerate neurons, for a batch of facts whose answers have the same number of tokens.

    Args:
        members: each fact's knowledge neurons.
        scores: (n,) for each fact, the attribution scores of its knowledge neurons.
        tried: the number of a fact's neurons that are tried, those with the largest scores. At most
            tried * (tried - 1) / 2 pairs are suppressed.
        matters: the cost above which a suppression matters, from 0 to 1.
    Returns:
        For each fact id the pairs, each two ascending places, in the order of their first places.
    """
    neurons = [members[fact.fact_id] for fact in facts]
    singles = [np.sort(np.argsort(-scores[fact.fact_id], kind="stable")[:tried]) for fact in facts]
    costs_alone = _costs(adapter, facts, neurons, [[[place] for place in places] for places in singles])
    pairs = [
        list(combinations((int(place) for place in places[cost <= matters]), 2))
        for places, cost in zip(singles, costs_alone, strict=True)
    ]
    costs_together = _costs(adapter, facts, neurons, pairs)
    pairs_of_facts = {}
    for fact, candidates, cost in zip(facts, pairs, costs_together, strict=True):
        degenerate = np.flatnonzero(cost > matters)
        pairs_of_facts[fact.fact_id] = disjoint_pairs([candidates[index] for index in degenerate], cost[degenerate])
    return pairs_of_facts
