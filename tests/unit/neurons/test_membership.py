"""The table of facts and their knowledge neurons, against sets of pairs."""

from __future__ import annotations

import numpy as np

from dkn.neurons.membership import membership
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from tests.unit.neuron_sets import neuron_set, pairs_of

LAYERS, NEURONS = 3, 7


def random_members(facts: int) -> dict[str, NeuronSet]:
    """Facts with up to nine of the 21 neurons, the last of them with none."""
    draw = np.random.default_rng(facts)
    chosen = [draw.choice(LAYERS * NEURONS, draw.integers(1, 10), replace=False) for _ in range(facts)]
    sets = {f"f{number}": NeuronSet(flat // NEURONS, flat % NEURONS) for number, flat in enumerate(chosen)}
    return {**sets, "none": NO_NEURONS}


def test_counts_equal_those_of_sets_of_pairs() -> None:
    members = random_members(12)
    order = sorted(members, reverse=True)
    table = membership(members, order, LAYERS, NEURONS)
    assert table.fact_ids.tolist() == order
    pairs = {name: set(pairs_of(neurons)) for name, neurons in members.items()}
    group = neuron_set((0, 3), (2, 6), (1, 1), (1, 5))
    assert table.shared(group).tolist() == [len(pairs[name] & set(pairs_of(group))) for name in order]
    among = np.array([name in ("f1", "f4", "f7", "none") for name in order])
    found = table.facts_per_neuron(among)
    assert found.shape == (LAYERS, NEURONS)
    for layer in range(LAYERS):
        for neuron in range(NEURONS):
            assert found[layer, neuron] == sum((layer, neuron) in pairs[name] for name in ("f1", "f4", "f7"))


def test_no_facts_and_no_neurons_give_zeros() -> None:
    nobody = membership({}, [], LAYERS, NEURONS)
    assert nobody.shared(neuron_set((0, 1))).shape == (0,)
    assert nobody.facts_per_neuron(np.zeros(0, dtype=bool)).sum() == 0
    table = membership(random_members(4), ["f0", "none"], LAYERS, NEURONS)
    assert table.shared(NO_NEURONS).tolist() == [0, 0]
    assert table.facts_per_neuron(np.array([False, True])).sum() == 0
