"""Distances between knowledge neurons through the model's weights (docs/method.md)."""

from __future__ import annotations

import numpy as np
import torch

from dkn.interventions import NeuronSet
from dkn.language_models import Adapter


def connection_vectors(adapter: Adapter, neurons: NeuronSet, fold_norm: bool) -> tuple[np.ndarray, np.ndarray]:
    """Reading and writing vectors of neurons, each (n, width) float32.

    With ``fold_norm`` the reading vector is multiplied by the gain of the norm in front of its MLP, so that it acts
    on the normalised stream rather than on the norm's output.
    """
    reading = np.zeros((len(neurons), adapter.width), dtype=np.float32)
    writing = np.zeros_like(reading)
    for layer in np.unique(neurons.layers):
        here = np.flatnonzero(neurons.layers == layer)
        index = torch.from_numpy(neurons.neurons[here]).to(adapter.device)
        read = adapter.reading(int(layer))[index].float()
        if fold_norm:
            read = read * adapter.mlp_norm_gain(int(layer)).float()
        reading[here] = read.cpu().numpy()
        writing[here] = adapter.writing(int(layer))[index].float().cpu().numpy()
    return reading, writing


def _min_plus(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(a, b) and (b, c) -> (a, c): the shortest way through b. One b at a time, so memory stays (a, c)."""
    best = np.full((first.shape[0], second.shape[1]), np.inf, dtype=first.dtype)
    for middle in range(first.shape[1]):
        np.minimum(best, first[:, middle, None] + second[None, middle], out=best)
    return best


def distance_matrix(
    layers: np.ndarray, reading: np.ndarray, writing: np.ndarray, max_span: int | None = None
) -> np.ndarray:
    """Symmetric distances between neurons, (n, n) float32, zero on the diagonal.

    For A in layer l and B in layer l + 1: 1 / |<writing_A, reading_B>|. Over several layers: the shortest path that
    visits one of the neurons in every layer between. Infinite within a layer, across a layer without a neuron,
    through a zero product, and beyond ``max_span`` layers.

    Args:
        layers: (n,) the neurons' layers.
        reading, writing: (n, width) their vectors.
        max_span: the most layers a path may climb; None for no limit.
    """
    matrix = np.full((len(layers), len(layers)), np.inf, dtype=np.float32)
    members = {int(layer): np.flatnonzero(layers == layer) for layer in np.unique(layers)}
    steps = {}
    for layer, lower in members.items():
        if layer + 1 in members:
            products = np.abs(writing[lower] @ reading[members[layer + 1]].T)
            with np.errstate(divide="ignore"):
                steps[layer] = (1 / products.astype(np.float64)).astype(np.float32)
    for layer, lower in members.items():
        reach, top = None, layer
        while top in steps and (max_span is None or top - layer < max_span):
            reach = steps[top] if reach is None else _min_plus(reach, steps[top])
            top += 1
            matrix[np.ix_(lower, members[top])] = reach
            matrix[np.ix_(members[top], lower)] = reach.T
    np.fill_diagonal(matrix, 0)
    return matrix
