"""Sets of neurons made of others: unions over facts, and random sets to compare one with (docs/method.md)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dkn.interventions import NeuronSet


def union(sets: Iterable[NeuronSet]) -> NeuronSet:
    """Every neuron of any of the sets once, by layer and neuron."""
    pairs = [np.stack((part.layers, part.neurons), axis=1) for part in sets]
    distinct = np.unique(np.concatenate([np.zeros((0, 2), dtype=int), *pairs]), axis=0)
    return NeuronSet(distinct[:, 0], distinct[:, 1])


def layer_strata(n_layers: int, n_neurons: int) -> np.ndarray:
    """(layers, neurons): the strata of a draw that keeps a set's layer counts."""
    return np.repeat(np.arange(n_layers)[:, None], n_neurons, axis=1)


def activation_strata(activation: np.ndarray, groups: int = 10) -> np.ndarray:
    """(layers, neurons): each layer's neurons in equal groups by activation, of which there are (layers, neurons)."""
    n_layers, n_neurons = activation.shape
    rank = activation.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return np.arange(n_layers)[:, None] * groups + rank * groups // n_neurons


def matching_draw(members: NeuronSet, strata: np.ndarray, draw: np.random.Generator) -> NeuronSet:
    """As many different random neurons of every stratum as the set has there, by layer and neuron.

    Any neuron may come out, one of the set too: what is expected of the draw is then exactly chance.

    Args:
        members: the set to match.
        strata: (layers, neurons) which stratum each neuron belongs to.
    """
    wanted = np.bincount(strata[members.layers, members.neurons], minlength=strata.max() + 1)
    flat = strata.ravel()
    chosen = [draw.choice(np.flatnonzero(flat == group), wanted[group], replace=False) for group in wanted.nonzero()[0]]
    places = np.sort(np.concatenate([np.zeros(0, dtype=int), *chosen]))
    return NeuronSet(places // strata.shape[1], places % strata.shape[1])


def random_like(members: NeuronSet, n_neurons: int, draw: np.random.Generator) -> NeuronSet:
    """As many random neurons as ``members``, layer by layer, none of them a member.

    Args:
        n_neurons: neurons of a layer; where more than half are members, all others are taken.
    """
    layers, neurons = [], []
    for layer, count in zip(*np.unique(members.layers, return_counts=True), strict=True):
        others = np.setdiff1d(np.arange(n_neurons), members.neurons[members.layers == layer])
        neurons.append(draw.choice(others, min(count, len(others)), replace=False))
        layers.append(np.full(len(neurons[-1]), layer))
    if not layers:
        return members
    return NeuronSet(np.concatenate(layers), np.concatenate(neurons))
