"""Random groups of the sizes of others, and groups whose neurons have exchanged their weight vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkn.errors import UserError
from dkn.structure.controls import control_groups, exchanged_within_layers, random_partition
from dkn.structure.distances import distance_matrix
from dkn.structure.ntc import NTCSettings, ntc


@settings(max_examples=100)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), spare=st.integers(0, 5), seed=st.integers(0, 99))
def test_the_control_matches_sizes_and_is_disjoint(sizes: list[int], spare: int, seed: int) -> None:
    groups = random_partition(sizes, sum(sizes) + spare, np.random.default_rng(seed))
    assert [len(group) for group in groups] == sizes
    joined = np.concatenate(groups)
    assert len(set(joined.tolist())) == len(joined)
    assert joined.max() < sum(sizes) + spare


def test_the_control_reaches_every_neuron() -> None:
    """It draws from all of a fact's neurons, not from those in components."""
    draw = np.random.default_rng(0)
    seen = {int(place) for _ in range(200) for group in random_partition([2, 2], 8, draw) for place in group}
    assert seen == set(range(8))


@settings(max_examples=60, deadline=None)
@given(layers=st.lists(st.integers(0, 3), min_size=4, max_size=14), seed=st.integers(0, 999))
def test_exchanged_groups_keep_sizes_layers_and_disjointness(layers: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    of_neurons = np.array(layers)
    groups = random_partition([2, len(layers) - 2], len(layers), draw)
    new = exchanged_within_layers(groups, of_neurons, draw)
    for before, after in zip(groups, new, strict=True):
        assert sorted(of_neurons[after]) == sorted(of_neurons[before])
        assert after.tolist() == sorted(after)
    assert sorted(np.concatenate(new)) == list(range(len(layers)))


def test_every_exchange_within_a_layer_is_as_likely() -> None:
    layers = np.array([0, 1, 0, 0, 1])
    draw = np.random.default_rng(0)
    drawn = [tuple(exchanged_within_layers([np.array([0, 1])], layers, draw)[0]) for _ in range(3000)]
    counts = {pair: drawn.count(pair) for pair in set(drawn)}
    assert set(counts) == {(0, 1), (0, 4), (1, 2), (2, 4), (1, 3), (3, 4)}
    assert all(400 < count < 600 for count in counts.values())


@pytest.mark.parametrize("seed", range(5))
def test_ntc_on_exchanged_vectors_finds_the_exchanged_groups(seed: int) -> None:
    """The definition of the control, computed from the vectors: the same births and deaths, with other members."""
    draw = np.random.default_rng(seed)
    layers = np.repeat(np.arange(4), 6)
    reading, writing = draw.normal(size=(2, len(layers), 5)).astype(np.float32)
    clustering = NTCSettings("difference", 0.02, 0.12, 2)
    found = ntc(distance_matrix(layers, reading, writing), clustering)
    places = np.arange(len(layers))
    holder = np.concatenate(exchanged_within_layers([places[[place]] for place in places], layers, draw))
    owner = np.argsort(holder)  # whose vectors each neuron has now
    again = ntc(distance_matrix(layers, reading[owner], writing[owner]), clustering)
    assert len(found) > 1
    assert sorted(part.members.tolist() for part in again) == sorted(sorted(holder[part.members]) for part in found)
    assert sorted((part.birth, part.death) for part in again) == sorted((part.birth, part.death) for part in found)
    assert [part.members.tolist() for part in again] != [part.members.tolist() for part in found]


def test_an_unknown_control_is_named() -> None:
    with pytest.raises(UserError, match="'mixed'; allowed: random, shuffled"):
        control_groups("mixed", [np.array([0])], np.array([0]), np.random.default_rng(0))
