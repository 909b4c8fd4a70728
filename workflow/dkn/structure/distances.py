"""Distances between knowledge neurons through the model's weights.

The distance of neuron A in layer l to neuron B in layer l + 1 is 1 / |<w_A, r_B>|, where w_A is A's writing vector and
r_B is B's reading vector (``dkn.decoder.adapters``). Neurons further apart are joined by paths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dkn.decoder.adapters import Adapter
from dkn.errors import UserError
from dkn.neurons.sets import NeuronSet

CONNECTIONS = ("write-read", "gate-down")
PATHS = ("shortest", "two-between")
MOST_BETWEEN = 3  # the largest span that paths over two neurons between can climb


@dataclass(frozen=True)
class DistanceSettings:
    """How distances are measured; ``connection_vectors`` and ``distance_matrix`` describe the attributes."""

    max_span: int | None = None
    fold_norm: bool = False
    connection: str = "write-read"
    paths: str = "shortest"

    def matrix(self, adapter: Adapter, neurons: NeuronSet) -> np.ndarray:
        """Return the distances between n neurons of a model, (n, n) float32, as ``distance_matrix`` gives them."""
        vectors = connection_vectors(adapter, neurons, self.fold_norm, self.connection)
        return distance_matrix(neurons.layers, *vectors, self.max_span, self.paths)


def connection_vectors(
    adapter: Adapter, neurons: NeuronSet, fold_norm: bool, connection: str = "write-read"
) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``distance_matrix`` takes for the reading and the writing vectors of n neurons.

    Args:
        fold_norm: whether reading vectors are multiplied by the gain of the norm in front of their MLP, so that they
            act on the normalised stream and not on the norm's output.
        connection: ``write-read``, what the lower neuron writes and the upper one reads, or ``gate-down``, the released
            code's: where MLPs have a gate the two exchange their roles, so that the lower neuron's reading vector (a
            row of ``gate_proj``) meets the upper neuron's writing vector (a column of ``down_proj``). Without a gate
            the two are the same.
    Returns:
        What the upper neuron of a connection contributes and what the lower one does, each (n, width) float32: the
        reading and the writing vectors, or the writing and the reading vectors where the roles are exchanged.
    Raises:
        UserError: the connection is neither.
    """
    if connection not in CONNECTIONS:
        raise UserError(f"unknown connection {connection!r}; allowed: {', '.join(CONNECTIONS)}")
    reading = np.zeros((len(neurons), adapter.width), dtype=np.float32)
    writing = np.zeros_like(reading)
    for layer in np.unique(neurons.layers):
        members = np.flatnonzero(neurons.layers == layer)
        index = torch.from_numpy(neurons.neurons[members]).to(adapter.layer_device(int(layer)))
        layer_reading = adapter.reading(int(layer))[index].float()
        if fold_norm:
            layer_reading = layer_reading * adapter.mlp_norm_gain(int(layer)).float()
        reading[members] = layer_reading.cpu().numpy()
        writing[members] = adapter.writing(int(layer))[index].float().cpu().numpy()
    return (writing, reading) if connection == "gate-down" and adapter.gated else (reading, writing)


def _min_plus(lengths: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the lengths of the shortest paths from c to a through any b, (c, a).

    Args:
        lengths: (b, a), the lengths of the shortest paths from b to a.
        steps: (b, c), the distances from b to c.
    """
    shortest = np.full((steps.shape[1], lengths.shape[1]), np.inf, dtype=lengths.dtype)
    through_one = np.empty_like(shortest)
    for lengths_from, steps_from in zip(lengths, steps, strict=True):
        np.minimum(shortest, np.add(steps_from[:, None], lengths_from, out=through_one), out=shortest)
    return shortest


def _steps(writing: np.ndarray, reading: np.ndarray) -> np.ndarray:
    """Return the distances between neurons of adjacent layers, (a, b) float32; infinite where the product is zero.

    Args:
        writing: (a, width), the writing vectors of neurons in the lower layer.
        reading: (b, width), the reading vectors of neurons in the upper layer.
    """
    # In float64, so that a distance does not depend on the order of the neurons in the product.
    products = np.abs(writing.astype(np.float64) @ reading.astype(np.float64).T)
    with np.errstate(divide="ignore", over="ignore"):
        return (1 / products).astype(np.float32)


def _shortest(layers: np.ndarray, reading: np.ndarray, writing: np.ndarray, max_span: int | None) -> np.ndarray:
    """Return the lengths of the paths ``shortest`` of ``distance_matrix``: the rows are upper neurons, (n, n).

    A path to a layer is a path to the layer below it with one more step, so every layer takes one min-plus product.
    """
    order = np.argsort(layers, kind="stable")
    levels, starts = np.unique(layers[order], return_index=True)
    bounds = [*starts.tolist(), len(order)]
    matrix = np.full((len(order), len(order)), np.inf, dtype=np.float32)  # rows: upper neurons, columns: lower ones
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
    back = np.argsort(order)
    return matrix[np.ix_(back, back)]


def _two_between(layers: np.ndarray, reading: np.ndarray, writing: np.ndarray, max_span: int | None) -> np.ndarray:
    """Return the lengths of the paths ``two-between`` of ``distance_matrix``: the rows are upper neurons, (n, n)."""
    matrix = np.full((len(layers), len(layers)), np.inf, dtype=np.float32)
    places = {int(layer): np.flatnonzero(layers == layer) for layer in np.unique(layers)}
    highest = MOST_BETWEEN if max_span is None else min(max_span, MOST_BETWEEN)
    for layer, lower in places.items():
        if layer + 1 not in places:
            continue
        first = places[layer + 1]
        to_first = _steps(writing[lower], reading[first]).T
        matrix[np.ix_(first, lower)] = to_first
        for span in range(2, highest + 1):
            if not {layer + span - 1, layer + span} <= places.keys():
                continue
            last, upper = places[layer + span - 1], places[layer + span]
            between = _steps(writing[first], reading[last])
            if span == 2:
                np.fill_diagonal(between, np.inf)  # both lie in one layer and are two neurons
            to_last = _min_plus(to_first, between)
            matrix[np.ix_(upper, lower)] = _min_plus(to_last, _steps(writing[last], reading[upper]))
    return matrix


def distance_matrix(
    layers: np.ndarray,
    reading: np.ndarray,
    writing: np.ndarray,
    max_span: int | None = None,
    paths: str = "shortest",
) -> np.ndarray:
    """Return the distances between neurons, (n, n) float32, symmetric and zero on the diagonal.

    Between adjacent layers the distance is 1 / |<w_A, r_B>|. Over several layers it is the length of a path over others
    of the neurons. It is infinite within a layer, where there is no such path, through a product of zero, and over more
    than ``max_span`` layers.

    Args:
        layers: (n,), the neurons' layers, in any order.
        reading, writing: (n, width), the neurons' vectors, as ``connection_vectors`` gives them.
        max_span: the most layers that a path may climb; None for no limit.
        paths: ``shortest``, the shortest path that visits one of the neurons in every layer between; or
            ``two-between``, the released code's: over two or three layers the shortest path with exactly two of the
            neurons between, the first in the layer above the lower end, the last in the layer below the upper end.
            Over two layers both lie in one layer, and their product, in either order, is taken as if they were
            adjacent. There is no path over more than three layers (the released code stores 1000 for no path, which
            its clustering treats as unreachable).
    Raises:
        UserError: the kind of paths is neither.
    """
    if paths not in PATHS:
        raise UserError(f"unknown paths {paths!r}; allowed: {', '.join(PATHS)}")
    lengths = _shortest if paths == "shortest" else _two_between
    matrix = lengths(layers, reading, writing, max_span)
    matrix = np.minimum(matrix, matrix.T)
    np.fill_diagonal(matrix, 0)
    return matrix
