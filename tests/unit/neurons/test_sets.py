"""Unions of neuron sets, and random sets that match one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.neurons.sets import (
    NO_NEURONS,
    NeuronSet,
    activation_strata,
    exchanged,
    layer_strata,
    matching_draw,
    random_like,
    union,
)
from tests.unit.neuron_sets import neuron_set, pairs_of


def test_a_union_holds_every_neuron_once_in_order() -> None:
    found = union([neuron_set((1, 5), (0, 7)), NO_NEURONS, neuron_set((0, 7), (0, 2), (1, 5))])
    assert pairs_of(found) == [(0, 2), (0, 7), (1, 5)]
    assert len(union([])) == 0


@given(st.integers(0, 99), st.integers(0, 60))
def test_a_draw_keeps_the_layer_counts_and_repeats_nothing(seed: int, size: int) -> None:
    flat = np.random.default_rng(seed).choice(4 * 20, size, replace=False)
    members = NeuronSet(flat // 20, flat % 20)
    found = matching_draw(members, layer_strata(4, 20), np.random.default_rng(seed))
    assert len(set(pairs_of(found))) == size
    assert np.array_equal(np.bincount(found.layers, minlength=4), np.bincount(members.layers, minlength=4))


def test_a_draw_overlaps_its_set_as_often_as_chance() -> None:
    """Five of twenty neurons in one layer, all twenty of another: 5 * 5 / 20 and 20 expected."""
    members = NeuronSet(np.repeat([0, 1], [5, 20]), np.concatenate((np.arange(5), np.arange(20))))
    draw = np.random.default_rng(0)
    overlaps = []
    for _ in range(400):
        found = matching_draw(members, layer_strata(3, 20), draw)
        overlaps.append(len(set(pairs_of(found)) & set(pairs_of(members))))
    assert abs(np.mean(overlaps) - 21.25) < 0.15


def test_activation_strata_are_equal_groups_by_activation_within_a_layer() -> None:
    activation = np.random.default_rng(0).random((3, 40))
    strata = activation_strata(activation, groups=4)
    assert np.array_equal(np.bincount(strata.ravel()), np.full(12, 10))
    for layer in range(3):
        assert set(strata[layer]) == {4 * layer + group for group in range(4)}
        order = activation[layer].argsort()
        assert (np.diff(strata[layer][order]) >= 0).all()


def test_a_draw_matched_by_activation_is_as_active() -> None:
    activation = np.random.default_rng(0).random((2, 200)) ** 3
    members = neuron_set(*((0, int(place)) for place in activation[0].argsort()[-20:]))
    matched = matching_draw(members, activation_strata(activation), np.random.default_rng(1))
    anyhow = matching_draw(members, layer_strata(2, 200), np.random.default_rng(1))
    assert pairs_of(matched) == sorted(pairs_of(members)), "the top tenth is a group of its own"
    assert activation[anyhow.layers, anyhow.neurons].mean() < 0.5 * activation[matched.layers, matched.neurons].mean()


@given(st.integers(0, 99), st.integers(1, 5))
def test_an_exchange_is_a_permutation_within_every_stratum(seed: int, groups: int) -> None:
    draw = np.random.default_rng(seed)
    strata = activation_strata(draw.random((3, 20)), groups)
    replaced = exchanged(strata, draw)
    assert sorted(replaced) == list(range(60))
    assert (strata.ravel()[replaced] == strata.ravel()).all()


def test_an_exchange_takes_every_neuron_of_the_stratum_as_often() -> None:
    draw = np.random.default_rng(0)
    places = np.array([exchanged(layer_strata(2, 5), draw)[7] for _ in range(5000)])
    assert np.bincount(places, minlength=10)[5:] == pytest.approx([1000] * 5, abs=120)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), unique=True, max_size=30), st.integers(0, 99))
def test_random_neurons_have_the_layer_counts_and_none_of_the_members(pairs: list[tuple[int, int]], seed: int) -> None:
    members = NeuronSet(np.array([a for a, _ in pairs], dtype=int), np.array([b for _, b in pairs], dtype=int))
    found = random_like(members, 10, np.random.default_rng(seed))
    drawn = list(zip(found.layers.tolist(), found.neurons.tolist(), strict=True))
    assert len(set(drawn)) == len(drawn)
    assert not set(drawn) & set(pairs)
    wanted = Counter(layer for layer, _ in pairs)
    assert Counter(layer for layer, _ in drawn) == {
        layer: min(count, 10 - count) for layer, count in wanted.items() if count < 10
    }
    assert all(0 <= neuron < 10 for _, neuron in drawn)


def test_random_neurons_of_nothing_are_nothing() -> None:
    assert len(random_like(NO_NEURONS, 10, np.random.default_rng(0))) == 0
