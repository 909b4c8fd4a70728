"""Random neurons to compare a neuron set with (docs/method.md)."""

from __future__ import annotations

import numpy as np

from dkn.interventions import NeuronSet


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
