"""Distances between knowledge neurons through the model's weights (docs/method.md)."""

from __future__ import annotations

import numpy as np
import torch

from dkn.decoder.adapters import Adapter
from dkn.neurons.sets import NeuronSet


def connection_vectors(adapter: Adapter, neurons: NeuronSet, fold_norm: bool) -> tuple[np.ndarray, np.ndarray]:
    """Reading and writing vectors of neurons, each (n, width) float32.

    With ``fold_norm`` the reading vector is multiplied by the gain of the norm in front of its MLP, so that it acts
    on the normalised stream rather than on the norm's output.
    """
    reading = np.zeros((len(neurons), adapter.width), dtype=np.float32)
    writing = np.zeros_like(reading)
    for layer in np.unique(neurons.layers):
        here = np.flatnonzero(neurons.layers == layer)
        index = torch.from_numpy(neurons.neurons[here]).to(adapter.layer_device(int(layer)))
        read = adapter.reading(int(layer))[index].float()
        if fold_norm:
            read = read * adapter.mlp_norm_gain(int(layer)).float()
        reading[here] = read.cpu().numpy()
        writing[here] = adapter.writing(int(layer))[index].float().cpu().numpy()
    return reading, writing


def _min_plus(lengths: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(b, a) ways from b to a, and (b, c) steps from b to c -> (c, a): the shortest way through b, one b at a time."""
    best = np.full((steps.shape[1], lengths.shape[1]), np.inf, dtype=lengths.dtype)
    longer = np.empty_like(best)
    for through, step in zip(lengths, steps, strict=True):
        np.minimum(best, np.add(step[:, None], through, out=longer), out=best)
    return best


def _steps(writing: np.ndarray, reading: np.ndarray) -> np.ndarray:
    """(a, b) distances between neurons of adjacent layers, float32; infinite where the product is zero."""
    # In float64, so that a distance does not depend on where its neurons stand in the product.
    products = np.abs(writing.astype(np.float64) @ reading.astype(np.float64).T)
    with np.errstate(divide="ignore", over="ignore"):
        return (1 / products).astype(np.float32)


def distance_matrix(
    layers: np.ndarray, reading: np.ndarray, writing: np.ndarray, max_span: int | None = None
) -> np.ndarray:
    """Symmetric distances between neurons, (n, n) float32, zero on the diagonal.

    For A in layer l and B in layer l + 1: 1 / |<writing_A, reading_B>|. Over several layers: the shortest path that
    visits one of the neurons in every layer between. Infinite within a layer, across a layer without a neuron,
    through a zero product, and beyond ``max_span`` layers. The ways from everything below to a layer are those to the
    layer before it, one step longer: one min-plus product per layer.

    Args:
        layers: (n,) the neurons' layers, in any order.
        reading, writing: (n, width) their vectors.
        max_span: the most layers a path may climb; None for no limit.
    """
    order = np.argsort(layers, kind="stable")
    levels, starts = np.unique(layers[order], return_index=True)
    bounds = [*starts.tolist(), len(order)]
    matrix = np.full((len(order), len(order)), np.inf, dtype=np.float32)  # rows: layers above, columns: below
    for level in range(1, len(levels)):
        if levels[level] != levels[level - 1] + 1:
            continue
        lower, upper = slice(*bounds[level - 1 : level + 1]), slice(*bounds[level : level + 2])
        steps = _steps(writing[order[lower]], reading[order[upper]])
        matrix[upper, lower] = steps.T
        lowest = 0 if max_span is None else np.searchsorted(levels, levels[level] - max_span)
        below = slice(bounds[lowest], lower.start)
        if below.start < below.stop:
            matrix[upper, below] = _min_plus(matrix[lower, below], steps)
    matrix = np.minimum(matrix, matrix.T)
    np.fill_diagonal(matrix, 0)
    back = np.argsort(order)
    return matrix[np.ix_(back, back)]
