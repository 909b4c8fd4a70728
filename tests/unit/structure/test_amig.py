"""AMIG's pairs: by hand, and on tiny models against one suppression after the other."""

from itertools import combinations

import numpy as np
import pytest
import torch

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.structure.amig import amig_pairs, disjoint_pairs
from tests.unit import plain, planted
from tests.unit.released_structure import relative_drop


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


def first_come(
    adapter: Adapter, fact: EncodedFact, members: NeuronSet, scores: np.ndarray, released: bool = False
) -> list[list[int]]:
    """The released pairs of one fact, from one forward pass per suppression."""
    pairs = list(zip(members.layers.tolist(), members.neurons.tolist(), strict=True))

    def drop(*places: int) -> float:
        edit = [pairs[place] for place in places]
        return relative_drop(adapter.model, fact.prompt, fact.answer, edit, released)

    best = sorted(range(len(scores)), key=lambda place: -scores[place])[:15]
    alone = [place for place in best if drop(place) < 0.05]
    found: list[list[int]] = []
    for index, one in enumerate(alone):
        for other in alone[index + 1 :]:
            if not any({one, other} & set(pair) for pair in found) and drop(one, other) > 0.3:
                found.append(sorted([one, other]))
    return sorted(found)


@pytest.mark.parametrize("edits", [AS_TEXT, EditSettings("preactivation")], ids=["text", "released"])
def test_first_pairs_equal_one_pass_per_suppression(own_adapter: Adapter, edits: EditSettings) -> None:
    """A sharp last norm makes Prob fall all at once, so that two neurons may matter where one does not."""
    is_gpt2 = own_adapter.model.config.model_type == "gpt2"
    norm = own_adapter.model.transformer.ln_f if is_gpt2 else own_adapter.model.model.norm
    facts, members, scores = [], {}, {}
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter *= 30
        for number in (0, 7, 10, 18, 33, 61):  # of 120 facts, some that have pairs in one model or another
            draw = np.random.default_rng(number)
            prompt = draw.integers(2, 100, 5).tolist()
            answer = int(plain.logits(own_adapter.model, prompt)[-1].argmax())
            facts.append(EncodedFact(f"f{number}", prompt, [answer]))
            members[f"f{number}"] = NeuronSet(np.sort(draw.integers(0, 3, 20)), draw.permutation(80)[:20])
            scores[f"f{number}"] = draw.random(20)
    found = amig_pairs(own_adapter, facts, members, scores, 1, 0.9, "first", edits)
    for fact in facts:
        expected = first_come(own_adapter, fact, members[fact.fact_id], scores[fact.fact_id], edits != AS_TEXT)
        assert [pair.tolist() for pair in found[fact.fact_id]] == expected
    assert sum(bool(pairs) for pairs in found.values()) >= 2


def test_the_first_pairs_are_taken_in_the_order_of_the_scores() -> None:
    """Six planted neurons of which no one is needed and any two are: the costliest pairs are others."""
    adapter = planted.planted_model(5.0)
    with torch.no_grad():
        adapter.model.lm_head.weight *= 10
    fact, members = planted.fact(0), planted.carriers(0)
    scores = {fact.fact_id: np.array([0.1, 0.9, 0.5, 0.2, 0.8, 0.4])}
    found = amig_pairs(adapter, [fact], {fact.fact_id: members}, scores, 6, 0.3, "first")[fact.fact_id]
    assert [pair.tolist() for pair in found] == [[0, 3], [1, 4], [2, 5]]
    assert first_come(adapter, fact, members, scores[fact.fact_id]) == [[0, 3], [1, 4], [2, 5]]
    scores = {fact.fact_id: np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.4])}
    found = amig_pairs(adapter, [fact], {fact.fact_id: members}, scores, 2, 0.3, "first")[fact.fact_id]
    assert [pair.tolist() for pair in found] == [[0, 1], [2, 3], [4, 5]]


def test_an_unknown_pairing_is_refused() -> None:
    with pytest.raises(UserError, match="unknown pairing 'last'; allowed: costliest, first"):
        amig_pairs(planted.planted_model(6.0), [planted.fact(0)], {}, {}, 15, 0.3, "last")
