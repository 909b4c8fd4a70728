"""Pairs of degenerate neurons as AMIG defines them (docs/method.md): the one grouping that asks the model.

A suppression *matters* when it costs more than a share of what suppressing all of a fact's knowledge neurons costs.
Neurons that do not matter alone make a pair when suppressing both matters.
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
    """Pairs without a common neuron, taken greedily: the largest cost first, on a tie the lower places."""
    taken: set[int] = set()
    found = []
    for at in sorted(range(len(pairs)), key=lambda at: (-cost[at], pairs[at])):
        if taken.isdisjoint(pairs[at]):
            taken.update(pairs[at])
            found.append(np.array(sorted(pairs[at])))
    return sorted(found, key=lambda pair: int(pair[0]))


def _costs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: Sequence[NeuronSet],
    edits: Sequence[Sequence[Sequence[int]]],
) -> list[np.ndarray]:
    """For each fact, what each suppression (places) costs: drop in Prob as a share of the drop without any KN.

    NaN where suppressing all of them does not lower Prob, so that nothing can matter.
    """
    variants = [
        [NO_NEURONS, neurons, *(neurons.take(places) for places in suppressed)]
        for neurons, suppressed in zip(members, edits, strict=True)
    ]
    costs = []
    for log_probs in answer_log_probs(adapter, facts, variants):
        prob = np.exp(log_probs.sum(1))
        whole = prob[0] - prob[1]
        costs.append((prob[0] - prob[2:]) / whole if whole > 0 else np.full(len(prob) - 2, np.nan))
    return costs


def amig_pairs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    scores: dict[str, np.ndarray],
    tried: int,
    matters: float,
) -> dict[str, list[np.ndarray]]:
    """Disjoint pairs of places per fact, for a batch of facts whose answers have the same number of tokens.

    Args:
        members: each fact's knowledge neurons.
        scores: (n,) their attribution scores.
        tried: neurons of a fact that are tried, the largest scores first: all their pairs, tried * (tried - 1) / 2.
        matters: the share of the whole cost above which a suppression matters.
    """
    neurons = [members[fact.fact_id] for fact in facts]
    singles = [np.sort(np.argsort(-scores[fact.fact_id], kind="stable")[:tried]) for fact in facts]
    alone = _costs(adapter, facts, neurons, [[[place] for place in places] for places in singles])
    pairs = [
        list(combinations((int(place) for place in places[cost <= matters]), 2))
        for places, cost in zip(singles, alone, strict=True)
    ]
    together = _costs(adapter, facts, neurons, pairs)
    found = {}
    for fact, candidates, cost in zip(facts, pairs, together, strict=True):
        degenerate = np.flatnonzero(cost > matters)
        found[fact.fact_id] = disjoint_pairs([candidates[at] for at in degenerate], cost[degenerate])
    return found
