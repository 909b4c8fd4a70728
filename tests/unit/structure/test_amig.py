"""AMIG's pairs: by hand, and on tiny models against one suppression after the other."""

from itertools import combinations

import numpy as np
import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.structure.amig import amig_pairs, disjoint_pairs


def test_disjoint_pairs_take_the_largest_cost_first() -> None:
    pairs = [(0, 1), (1, 2), (2, 3), (0, 3), (4, 5)]
    found = disjoint_pairs(pairs, np.array([0.5, 0.9, 0.5, 0.4, 0.1]))
    assert [pair.tolist() for pair in found] == [[0, 3], [1, 2], [4, 5]]
    tied = disjoint_pairs([(1, 2), (0, 1)], np.array([0.5, 0.5]))
    assert [pair.tolist() for pair in tied] == [[0, 1]]
    assert disjoint_pairs([], np.zeros(0)) == []


@pytest.mark.parametrize("matters", [0.02, 0.1, 0.3])
def test_pairs_are_those_that_matter_only_together(adapter: Adapter, matters: float) -> None:
    draw = np.random.default_rng(1)
    facts = [EncodedFact("x", [5, 6, 7], [4]), EncodedFact("y", [8, 9, 10, 11], [3])]
    members, scores = {}, {}
    for fact in facts:
        members[fact.fact_id] = NeuronSet(np.sort(draw.integers(0, 3, 9)), draw.permutation(30)[:9])
        scores[fact.fact_id] = draw.random(9)
    found = amig_pairs(adapter, facts, members, scores, tried=6, matters=matters)
    for fact in facts:
        neurons = members[fact.fact_id]

        def prob(places: tuple[int, ...], fact: EncodedFact = fact, neurons: NeuronSet = neurons) -> float:
            edit = neurons.take(places) if places else NO_NEURONS
            return float(np.exp(answer_log_probs(adapter, [fact], [[edit]])[0].sum()))

        intact, whole = prob(()), prob(tuple(range(9)))
        top = sorted(np.argsort(-scores[fact.fact_id])[:6].tolist())
        cost = {
            places: (intact - prob(places)) / (intact - whole) for size in (1, 2) for places in combinations(top, size)
        }
        pairs = [
            pair
            for pair in combinations(top, 2)
            if intact > whole and max(cost[pair[:1]], cost[pair[1:]]) <= matters < cost[pair]
        ]
        expected = disjoint_pairs(pairs, np.array([cost[pair] for pair in pairs]))
        assert [pair.tolist() for pair in found[fact.fact_id]] == [pair.tolist() for pair in expected]


def test_some_pair_is_found_somewhere(adapter: Adapter) -> None:
    """So that the test above compares more than empty lists."""
    facts = [EncodedFact(f"f{number}", [5, 6, 7 + number], [20 + number]) for number in range(24)]
    draw = np.random.default_rng(0)
    neurons = NeuronSet(np.sort(draw.integers(0, 3, 12)), draw.permutation(30)[:12])
    members = {fact.fact_id: neurons for fact in facts}
    scores = {fact.fact_id: np.arange(12.0) for fact in facts}
    found = amig_pairs(adapter, facts, members, scores, tried=12, matters=0.1)
    assert sum(len(pairs) for pairs in found.values()) > 0
    for pairs in found.values():
        places = [int(place) for pair in pairs for place in pair]
        assert len(set(places)) == len(places)
    assert all(not pairs for pairs in amig_pairs(adapter, facts, members, scores, 12, 1e9).values())
