"""Sets of neurons: those of facts, unions of them, and random sets to compare a set with.

A *stratum* is a group of the model's neurons in which a random draw takes as many neurons as the compared set has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class NeuronSet:
    """Neurons as two integer arrays of the same length, (n,): their layers, and their indices within the layers."""

    layers: np.ndarray
    neurons: np.ndarray

    def __len__(self) -> int:
        return len(self.layers)

    def take(self, indices: np.ndarray | Sequence[int]) -> NeuronSet:
        """Return the neurons at some indices of the arrays, in that order."""
        chosen = np.asarray(indices, dtype=int)
        return NeuronSet(self.layers[chosen], self.neurons[chosen])

    def key(self) -> bytes:
        """Return bytes that are equal for two sets exactly when they hold the same neurons, in any order."""
        numbers = (self.layers.astype(np.int64) << 32) + self.neurons  # a neuron's layer and index in one number
        return np.sort(numbers).tobytes()


NO_NEURONS = NeuronSet(np.zeros(0, dtype=int), np.zeros(0, dtype=int))


def union(sets: Iterable[NeuronSet]) -> NeuronSet:
    """Return the neurons that are in any of the sets, each once, sorted by layer and neuron."""
    pairs = [np.stack((members.layers, members.neurons), axis=1) for members in sets]
    distinct = np.unique(np.concatenate([np.zeros((0, 2), dtype=int), *pairs]), axis=0)
    return NeuronSet(distinct[:, 0], distinct[:, 1])


def joined(sets: Sequence[NeuronSet]) -> NeuronSet:
    """Return the neurons of several sets, of which no two share a neuron, one set after the other."""
    return NeuronSet(np.concatenate([part.layers for part in sets]), np.concatenate([part.neurons for part in sets]))


def common_neurons(first: NeuronSet, second: NeuronSet) -> int:
    """Return the number of neurons that are in both of two sets."""
    one, other = (set(zip(s.layers.tolist(), s.neurons.tolist(), strict=True)) for s in (first, second))
    return len(one & other)


def layer_strata(n_layers: int, n_neurons: int) -> np.ndarray:
    """Return every neuron's stratum, (layers, neurons), where each layer is one stratum."""
    return np.repeat(np.arange(n_layers)[:, None], n_neurons, axis=1)


def activation_strata(activation: np.ndarray, groups: int = 10) -> np.ndarray:
    """Return every neuron's stratum, (layers, neurons): its layer and its group by activation.

    Args:
        activation: (layers, neurons), a measure of how active each neuron is.
        groups: the number of groups that a layer's neurons are cut into by rank; the groups are as equal as possible.
    """
    n_layers, n_neurons = activation.shape
    rank = activation.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return np.arange(n_layers)[:, None] * groups + rank * groups // n_neurons


def matching_draw(members: NeuronSet, strata: np.ndarray, draw: np.random.Generator) -> NeuronSet:
    """Draw as many different random neurons of every stratum as the set has there, sorted by layer and neuron.

    Neurons of the set itself may be drawn, so the expected overlap with the set is exactly that of chance.

    Args:
        members: the set to match.
        strata: (layers, neurons), the stratum of each neuron.
        draw: the random generator.
    """
    counts = np.bincount(strata[members.layers, members.neurons], minlength=strata.max() + 1)
    flat = strata.ravel()
    chosen = [draw.choice(np.flatnonzero(flat == group), counts[group], replace=False) for group in counts.nonzero()[0]]
    indices = np.sort(np.concatenate([np.zeros(0, dtype=int), *chosen]))
    return NeuronSet(indices // strata.shape[1], indices % strata.shape[1])


def exchanged(strata: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Exchange the neurons of every stratum at random.

    Sets whose neurons are replaced in this way keep their sizes in every stratum, and share as many neurons with each
    other as before.

    Args:
        strata: (layers, neurons), the stratum of each neuron.
        draw: the random generator.
    Returns:
        (layers * neurons,), a permutation: for every neuron the one that takes its place, both by layer and neuron as
        one index.
    """
    flat = strata.ravel()
    replaced = np.empty(flat.size, dtype=np.int64)
    replaced[np.argsort(flat, kind="stable")] = np.lexsort((draw.random(flat.size), flat))
    return replaced


def random_like(members: NeuronSet, n_neurons: int, draw: np.random.Generator) -> NeuronSet:
    """Draw as many random neurons as ``members`` has, layer by layer, none of them a member.

    Args:
        members: the set to match.
        n_neurons: the number of neurons of a layer; where more than half are members, all others are taken.
        draw: the random generator.
    """
    layers, neurons = [], []
    for layer, count in zip(*np.unique(members.layers, return_counts=True), strict=True):
        free = np.ones(n_neurons, dtype=bool)
        free[members.neurons[members.layers == layer]] = False
        others = np.flatnonzero(free)
        neurons.append(draw.choice(others, min(count, len(others)), replace=False))
        layers.append(np.full(len(neurons[-1]), layer))
    if not layers:
        return members
    return NeuronSet(np.concatenate(layers), np.concatenate(neurons))


def neuron_sets(neurons: pd.DataFrame) -> dict[str, NeuronSet]:
    """Return each fact's knowledge neurons by fact id, in the order of their places.

    Args:
        neurons: columns as in ``schemas.KNOWLEDGE_NEURONS``.
    """
    ordered = neurons.sort_values(["fact_id", "place"])
    return {
        fact_id: NeuronSet(group["layer"].to_numpy(dtype=np.int64), group["neuron"].to_numpy(dtype=np.int64))
        for fact_id, group in ordered.groupby("fact_id", sort=False)
    }


def dkn_sets(components: pd.DataFrame, members: dict[str, NeuronSet], fewest: int = 1) -> dict[str, NeuronSet]:
    """Return the degenerate knowledge neurons (DKNs) of facts by fact id: the union of the base degenerate components.

    Args:
        components: columns as in ``schemas.COMPONENTS``; the kept ones are the base degenerate components (BDCs).
        members: each fact's knowledge neurons, in the order of their places.
        fewest: the number of BDCs below which a fact is left out; a fact with two is degenerate.
    """
    kept = components[components["kept"]]
    return {
        str(fact_id): members[str(fact_id)].take(np.unique(np.concatenate(list(places))))
        for fact_id, places in kept.groupby("fact_id")["places"]
        if len(places) >= fewest
    }
