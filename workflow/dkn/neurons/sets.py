"""Sets of neurons made of others: unions over facts, and random sets to compare one with (docs/method.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


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


def neuron_sets(neurons: pd.DataFrame) -> dict[str, NeuronSet]:
    """Each fact's knowledge neurons in the order of their places."""
    ordered = neurons.sort_values(["fact_id", "place"])
    return {
        fact_id: NeuronSet(group["layer"].to_numpy(dtype=np.int64), group["neuron"].to_numpy(dtype=np.int64))
        for fact_id, group in ordered.groupby("fact_id", sort=False)
    }


def dkn_sets(components: pd.DataFrame, members: dict[str, NeuronSet], fewest: int = 1) -> dict[str, NeuronSet]:
    """The degenerate knowledge neurons of every fact with enough base degenerate components: their union.

    Args:
        fewest: components that a fact needs; two make it degenerate.
    """
    kept = components[components["kept"]]
    return {
        str(fact_id): members[str(fact_id)].take(np.unique(np.concatenate(list(places))))
        for fact_id, places in kept.groupby("fact_id")["places"]
        if len(places) >= fewest
    }


@dataclass(frozen=True)
class NeuronSet:
    """Neurons as two parallel integer arrays: (n,) layers and (n,) indices within the layer."""

    layers: np.ndarray
    neurons: np.ndarray

    def __len__(self) -> int:
        return len(self.layers)

    def take(self, members: np.ndarray | Sequence[int]) -> NeuronSet:
        """The members at some places of the arrays."""
        places = np.asarray(members, dtype=int)
        return NeuronSet(self.layers[places], self.neurons[places])

    def key(self) -> bytes:
        """The same for the same neurons in whatever order."""
        order = np.lexsort((self.neurons, self.layers))
        return np.stack((self.layers[order], self.neurons[order])).astype(np.int64).tobytes()


NO_NEURONS = NeuronSet(np.zeros(0, dtype=int), np.zeros(0, dtype=int))
