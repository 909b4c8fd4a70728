"""Pairs of degenerate neurons as AMIG defines them; it is the only grouping that looks at the model's answers.

The *cost* of suppressing some of a fact's knowledge neurons is the drop in the probability of the fact's answer (Prob),
as a share of the drop when all of them are suppressed. A suppression *matters* when its cost exceeds a threshold. Two
neurons that do not matter alone are a pair of degenerate neurons when suppressing both of them matters.

The released code has another pairing. There the cost is the drop as a share of Prob itself, and the thresholds for one
neuron and for two differ.

A neuron is named by its *place*, its index among the fact's knowledge neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet

PAIRINGS = ("costliest", "first")
# The released code's: the neurons that are tried, the cost below which one does not matter, and above which two do.
RELEASED_TRIED = 15
RELEASED_ALONE = 0.05
RELEASED_MATTERS = 0.3


def _without_common(pairs: Iterable[tuple[int, int]]) -> list[np.ndarray]:
    """Return those pairs that have no neuron of an earlier one, each ascending, in the order of their first places."""
    taken: set[int] = set()
    disjoint = []
    for pair in pairs:
        if taken.isdisjoint(pair):
            taken.update(pair)
            disjoint.append(np.array(sorted(pair)))
    return sorted(disjoint, key=lambda pair: int(pair[0]))


@dataclass(frozen=True)
class PairSettings:
    """How pairs are found; ``amig_pairs`` describes the attributes."""

    neurons: int
    matters: float
    pairing: str = "costliest"


def disjoint_pairs(pairs: Sequence[tuple[int, int]], cost: np.ndarray) -> list[np.ndarray]:
    """Return pairs without a common neuron, taken greedily: the costliest pair first, on a tie the lower places.

    Args:
        pairs: pairs of places.
        cost: (pairs,), the cost of suppressing each pair.
    Returns:
        The pairs taken, each ascending, in the order of their first places.
    """
    costliest_first = sorted(range(len(pairs)), key=lambda index: (-cost[index], pairs[index]))
    return _without_common(pairs[index] for index in costliest_first)


def _costs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: Sequence[NeuronSet],
    suppressions: Sequence[Sequence[Sequence[int]]],
    of_full_drop: bool,
    edits: EditSettings,
) -> list[np.ndarray]:
    """Return for each fact the cost of each suppression, (suppressions,).

    Args:
        members: for each fact its knowledge neurons.
        suppressions: for each fact the suppressions, each a list of places.
        of_full_drop: whether the cost is the share of the drop when all knowledge neurons are suppressed, or else of
            Prob. A fact's costs are NaN where all of them do not lower Prob, so that nothing matters.
        edits: where values are edited, and in which contexts Prob is read off.
    """
    variants = [
        [NO_NEURONS, neurons, *(neurons.take(places) for places in suppressed)]
        for neurons, suppressed in zip(members, suppressions, strict=True)
    ]
    costs = []
    for log_probs in answer_log_probs(adapter, facts, variants, edits=edits):
        prob = np.exp(log_probs.sum(1))
        whole = prob[0] - prob[1] if of_full_drop else prob[0]
        costs.append((prob[0] - prob[2:]) / whole if whole > 0 else np.full(len(prob) - 2, np.nan))
    return costs


def amig_pairs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    scores: dict[str, np.ndarray],
    tried: int,
    matters: float,
    pairing: str = "costliest",
    edits: EditSettings = AS_TEXT,
) -> dict[str, list[np.ndarray]]:
    """Find disjoint pairs of degenerate neurons, for a batch of facts whose answers have the same number of tokens.

    Args:
        members: each fact's knowledge neurons.
        scores: (n,) for each fact, the attribution scores of its knowledge neurons.
        tried: the number of a fact's neurons that are tried, those with the largest scores. At most
            tried * (tried - 1) / 2 pairs are suppressed.
        matters: the cost above which a suppression matters, from 0 to 1.
        pairing: ``costliest``, the pair with the largest cost is taken first; or ``first``, the released code's: the
            pairs are taken in the order of the scores, the largest first, with the cost as a share of Prob and with
            the ``RELEASED_…`` numbers in place of ``tried`` and ``matters``.
        edits: where values are edited, and in which contexts Prob is read off.
    Returns:
        For each fact id the pairs, each two ascending places, in the order of their first places.
    Raises:
        UserError: the pairing is neither.
    """
    if pairing not in PAIRINGS:
        raise UserError(f"unknown pairing {pairing!r}; allowed: {', '.join(PAIRINGS)}")
    first = pairing == "first"
    if first:
        tried, matters = RELEASED_TRIED, RELEASED_MATTERS
    neurons = [members[fact.fact_id] for fact in facts]
    by_score = [np.argsort(-scores[fact.fact_id], kind="stable")[:tried] for fact in facts]
    singles = by_score if first else [np.sort(places) for places in by_score]
    each = [[[place] for place in places] for places in singles]
    costs_alone = _costs(adapter, facts, neurons, each, not first, edits)
    spared = [cost < RELEASED_ALONE if first else cost <= matters for cost in costs_alone]
    pairs = [
        list(combinations((int(place) for place in places[alone]), 2))
        for places, alone in zip(singles, spared, strict=True)
    ]
    costs_together = _costs(adapter, facts, neurons, pairs, not first, edits)
    pairs_of_facts = {}
    for fact, candidates, cost in zip(facts, pairs, costs_together, strict=True):
        degenerate = np.flatnonzero(cost > matters)
        found, its_cost = [candidates[index] for index in degenerate], cost[degenerate]
        pairs_of_facts[fact.fact_id] = _without_common(found) if first else disjoint_pairs(found, its_cost)
    return pairs_of_facts
