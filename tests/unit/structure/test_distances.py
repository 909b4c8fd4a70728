"""Distances through the weights: against brute force, and at the edges (docs/method.md)."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from dkn.decoder.adapters import Adapter
from dkn.errors import UserError
from dkn.neurons.sets import NeuronSet
from dkn.structure.distances import connection_vectors, distance_matrix
from tests.unit.released_structure import two_between


def brute_force(layers: np.ndarray, reading: np.ndarray, writing: np.ndarray, max_span: int | None) -> np.ndarray:
    """Enumerate every path that visits one neuron in each layer between two neurons, in float64."""
    count = len(layers)
    matrix = np.full((count, count), np.inf)
    np.fill_diagonal(matrix, 0)
    for start, end in product(range(count), repeat=2):
        span = layers[end] - layers[start]
        if span < 1 or (max_span is not None and span > max_span):
            continue
        between = [np.flatnonzero(layers == layer) for layer in range(layers[start] + 1, layers[end])]
        for path in product(*between):
            stops = [start, *path, end]
            length = 0.0
            for lower, upper in pairwise(stops):
                step = abs(float(writing[lower].astype(np.float64) @ reading[upper].astype(np.float64)))
                length += 1 / step if step else np.inf
            matrix[start, end] = min(matrix[start, end], length)
            matrix[end, start] = matrix[start, end]
    return matrix


def vectors(count: int, seed: int, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Random reading and writing vectors."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(2, count, width)).astype(np.float32)


@settings(max_examples=150)
@given(
    layers=st.lists(st.integers(0, 5), min_size=0, max_size=9).map(sorted),
    seed=st.integers(0, 2**16),
    max_span=st.sampled_from([None, 1, 2, 3]),
)
def test_shortest_paths_equal_a_brute_force_search(layers: list[int], seed: int, max_span: int | None) -> None:
    array = np.array(layers, dtype=int)
    reading, writing = vectors(len(layers), seed)
    found = distance_matrix(array, reading, writing, max_span)
    expected = brute_force(array, reading, writing, max_span)
    assert (np.isinf(found) == np.isinf(expected)).all()
    np.testing.assert_allclose(found, expected, rtol=2e-4)
    assert (found == found.T).all()


@pytest.mark.parametrize("layers", [[], [3], [2, 2, 2], [0, 2, 4], [1, 5, 5]])
def test_without_adjacent_layers_nothing_is_finite(layers: list[int]) -> None:
    reading, writing = vectors(len(layers), 0)
    matrix = distance_matrix(np.array(layers, dtype=int), reading, writing)
    assert matrix.shape == (len(layers), len(layers))
    assert np.isinf(matrix[~np.eye(len(layers), dtype=bool)]).all()


def test_a_zero_product_is_infinitely_far() -> None:
    writing = np.array([[0, 0], [1, 0]], dtype=np.float32)
    reading = np.array([[1, 1], [2, 0]], dtype=np.float32)
    assert np.isinf(distance_matrix(np.array([0, 1]), reading, writing)[0, 1])


def test_a_known_path_by_hand() -> None:
    """Two ways from layer 0 to layer 2: 1/2 + 1/4 through one neuron, 1/1 + 1/1 through the other."""
    layers = np.array([0, 1, 1, 2])
    writing = np.array([[2, 1], [4, 0], [0, 1], [0, 0]], dtype=np.float32)
    reading = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)
    matrix = distance_matrix(layers, reading, writing)
    assert matrix[0, 1] == pytest.approx(0.5)
    assert matrix[0, 2] == pytest.approx(1)
    assert matrix[0, 3] == pytest.approx(0.75)


def test_vectors_are_the_models_rows_and_fold_norm_uses_the_gain(adapter: Adapter) -> None:
    """docs/method.md names the tensors: c_fc columns and c_proj rows; gate_proj rows and down_proj columns."""
    chosen = NeuronSet(np.array([0, 1, 1]), np.array([3, 0, 7]))
    is_gpt2 = adapter.model.config.model_type == "gpt2"
    layers = adapter.model.transformer.h if is_gpt2 else adapter.model.model.layers
    reading, writing = connection_vectors(adapter, chosen, fold_norm=False)
    folded, _ = connection_vectors(adapter, chosen, fold_norm=True)
    for row, (layer, neuron) in enumerate(zip(chosen.layers, chosen.neurons, strict=True)):
        block = layers[int(layer)]
        if is_gpt2:
            read, write, gain = block.mlp.c_fc.weight[:, neuron], block.mlp.c_proj.weight[neuron], block.ln_2.weight
        else:
            read, write = block.mlp.gate_proj.weight[neuron], block.mlp.down_proj.weight[:, neuron]
            gain = block.post_attention_layernorm.weight
        np.testing.assert_array_equal(reading[row], read.numpy())
        np.testing.assert_array_equal(writing[row], write.numpy())
        np.testing.assert_allclose(folded[row], (read * gain).numpy(), rtol=1e-6)


@settings(max_examples=60)
@given(layers=st.lists(st.integers(0, 4), min_size=2, max_size=30), seed=st.integers(0, 2**16))
def test_the_order_of_the_neurons_does_not_matter(layers: list[int], seed: int) -> None:
    array, (reading, writing) = np.array(layers), vectors(len(layers), seed, width=64)
    order = np.random.default_rng(seed).permutation(len(layers))
    matrix = distance_matrix(array, reading, writing)
    shuffled = distance_matrix(array[order], reading[order], writing[order])
    np.testing.assert_array_equal(shuffled, matrix[np.ix_(order, order)])


def test_a_zero_weight_is_walked_around() -> None:
    """0 -> 1 -> 3 is blocked by a zero vector, 0 -> 2 -> 3 is not; a neuron that writes nothing reaches nothing."""
    layers = np.array([0, 1, 1, 2])
    writing = np.array([[1, 1], [0, 0], [0.5, 0.5], [0, 0]], dtype=np.float32)
    reading = np.array([[0, 0], [9, 9], [1, 1], [1, 1]], dtype=np.float32)
    matrix = distance_matrix(layers, reading, writing)
    assert matrix[0, 3] == pytest.approx(0.5 + 1)
    assert np.isinf(matrix[1, 3])
    assert matrix[0, 1] == pytest.approx(1 / 18)


def test_a_product_too_small_for_a_number_is_infinitely_far() -> None:
    tiny = np.full((2, 1), 1e-30, dtype=np.float32)
    assert np.isinf(distance_matrix(np.array([0, 1]), tiny, tiny)[0, 1])


def test_a_neuron_twice_is_two_points_with_the_same_distances() -> None:
    layers = np.array([0, 0, 1, 2])
    reading, writing = vectors(4, 0)
    writing[1], reading[1] = writing[0], reading[0]
    matrix = distance_matrix(layers, reading, writing)
    np.testing.assert_array_equal(matrix[0, 2:], matrix[1, 2:])
    assert np.isinf(matrix[0, 1])


def test_thousands_of_neurons_against_shortest_paths_of_scipy() -> None:
    """Dijkstra's algorithm on the directed graph of adjacent layers, from a few starts."""
    draw = np.random.default_rng(0)
    layers = np.sort(draw.integers(0, 24, 2000))
    reading, writing = vectors(2000, 1, width=8)
    matrix = distance_matrix(layers, reading, writing)
    starts = [0, 700, 1999]
    steps = np.where(layers[:, None] + 1 == layers, 1 / np.abs(writing.astype(float) @ reading.T.astype(float)), 0)
    expected = dijkstra(csr_array(steps), indices=starts)
    for start, row in zip(starts, expected, strict=True):
        above = layers > layers[start]
        np.testing.assert_allclose(matrix[start, above], row[above], rtol=1e-5)


@settings(max_examples=100)
@given(
    layers=st.lists(st.integers(0, 4), min_size=0, max_size=10),
    seed=st.integers(0, 2**16),
    max_span=st.sampled_from([None, 1, 2, 3]),
    zeros=st.booleans(),
)
def test_paths_over_two_between_equal_a_search(layers: list[int], seed: int, max_span: int | None, zeros: bool) -> None:
    array, (reading, writing) = np.array(layers, dtype=int), vectors(len(layers), seed)
    if zeros:
        writing[::3] = 0
    found = distance_matrix(array, reading, writing, max_span, "two-between")

    def step(lower: int, upper: int) -> float:
        inner = abs(sum(float(a) * float(b) for a, b in zip(writing[lower], reading[upper], strict=True)))
        return 1 / inner if inner else np.inf

    expected = two_between(layers, step, max_span or 9)
    np.testing.assert_allclose(found, expected, rtol=2e-4)
    assert (found == found.T).all()


def test_two_between_by_hand() -> None:
    """From layer 0 to 2 over both neurons of layer 1, in the cheaper order; with one neuron there is no path."""
    layers = np.array([0, 1, 1, 2, 3, 4])
    writing = np.array([[1, 1], [0.5, 1], [0, 2], [1, 0], [4, 0], [0, 0]], dtype=np.float32)
    reading = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [1, 0], [1, 0]], dtype=np.float32)
    matrix = distance_matrix(layers, reading, writing, paths="two-between")
    assert matrix[0, 3] == pytest.approx(1 + 1 + 1 / 2)  # 0, 1, 2, 3; neuron 2 does not write what 1 reads
    assert matrix[0, 4] == pytest.approx(1 + 1 / 2 + 1)  # 0, 2, 3, 4; over 1 it is 1 + 2 / 3 + 1
    assert np.isinf([matrix[1, 2], matrix[1, 4], matrix[3, 5], matrix[0, 5]]).all()
    assert matrix[1, 5] == pytest.approx(1 / 1.5 + 1 + 1 / 4)


@pytest.mark.parametrize("fold_norm", [False, True])
def test_gate_down_is_the_lower_gate_row_times_the_upper_down_column(adapter: Adapter, fold_norm: bool) -> None:
    chosen = NeuronSet(np.array([0, 0, 1, 1, 2]), np.array([3, 5, 0, 7, 7]))
    given_vectors = connection_vectors(adapter, chosen, fold_norm, "gate-down")
    found = distance_matrix(chosen.layers, *given_vectors)
    is_gpt2 = adapter.model.config.model_type == "gpt2"
    layers = adapter.model.transformer.h if is_gpt2 else adapter.model.model.layers
    compared = 0
    for (low, lower), (high, upper) in permutations(enumerate(zip(chosen.layers, chosen.neurons, strict=True)), 2):
        if upper[0] != lower[0] + 1:
            continue
        below, above = layers[int(lower[0])], layers[int(upper[0])]
        if is_gpt2:
            gain = above.ln_2.weight if fold_norm else 1
            inner = below.mlp.c_proj.weight[lower[1]] @ (gain * above.mlp.c_fc.weight[:, upper[1]])
        else:
            gain = below.post_attention_layernorm.weight if fold_norm else 1
            inner = (gain * below.mlp.gate_proj.weight[lower[1]]) @ above.mlp.down_proj.weight[:, upper[1]]
        assert found[low, high] == pytest.approx(1 / abs(float(inner)), rel=1e-3)
        compared += 1
    assert compared == 6
    usual = distance_matrix(chosen.layers, *connection_vectors(adapter, chosen, fold_norm))
    assert np.array_equal(usual, found) == is_gpt2


def test_an_unknown_connection_or_kind_of_paths_is_refused(adapter: Adapter) -> None:
    chosen = NeuronSet(np.array([0]), np.array([0]))
    with pytest.raises(UserError, match="unknown connection 'down-gate'; allowed: write-read, gate-down"):
        connection_vectors(adapter, chosen, False, "down-gate")
    with pytest.raises(UserError, match="unknown paths 'longest'; allowed: shortest, two-between"):
        distance_matrix(chosen.layers, *connection_vectors(adapter, chosen, False), paths="longest")
