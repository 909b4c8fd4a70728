"""The dendrogram against SciPy's single linkage, and by hand (docs/method.md)."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from dkn.structure.dendrogram import dendrogram, matrix_of_pairs
from dkn.structure.distances import distance_matrix
from tests.unit.distances import distances_of, random_distances


@settings(max_examples=100, deadline=None)
@given(points=st.integers(2, 12), seed=st.integers(0, 2**16))
def test_equals_scipys_single_linkage_where_all_is_finite(points: int, seed: int) -> None:
    matrix = random_distances(points, seed)
    tree = dendrogram(matrix)
    expected = linkage(squareform(matrix.astype(np.float64)), "single")
    np.testing.assert_allclose(tree.birth, expected[:, 2], rtol=1e-6)
    assert tree.sizes.tolist() == expected[:, 3].astype(int).tolist()


def test_births_deaths_and_members_by_hand() -> None:
    """0-1 at 1, 2-3 at 2, the two pairs at 5; 4 is apart. What lives at the limit dies there."""
    pairs = [(0, 1, 1), (2, 3, 2), (1, 2, 5), (0, 3, 9)]
    matrix = distances_of(5, pairs)
    tree = dendrogram(matrix)
    assert tree.limit == 9
    assert tree.birth.tolist() == [1, 2, 5]
    assert tree.death.tolist() == [5, 5, 9]
    assert [tree.members(merge).tolist() for merge in range(3)] == [[0, 1], [2, 3], [0, 1, 2, 3]]


@settings(max_examples=60, deadline=None)
@given(layers=st.lists(st.integers(0, 4), min_size=2, max_size=16), seed=st.integers(0, 2**16), rounded=st.booleans())
def test_paths_over_several_layers_never_merge_components(layers: list[int], seed: int, rounded: bool) -> None:
    """A path is longer than each of its steps, so components are those of steps between adjacent layers alone."""
    draw = np.random.default_rng(seed)
    reading, writing = draw.normal(size=(2, len(layers), 3)).astype(np.float32)
    if rounded:
        reading, writing = np.round(reading), np.round(writing)
    array = np.array(layers)
    everything, steps = (distance_matrix(array, reading, writing, span) for span in (None, 1))
    np.testing.assert_array_equal(dendrogram(everything).birth, dendrogram(steps).birth)


def test_thousands_of_points_in_a_chain() -> None:
    """The deepest dendrogram there is: every merge adds one point. Nothing may recurse or list all components."""
    points = 5000
    tree = dendrogram(distances_of(points, [(place, place + 1, 1.0 + place) for place in range(points - 1)]))
    assert tree.sizes.tolist() == list(range(2, points + 1))
    assert tree.members(2998).tolist() == list(range(3000))


def test_a_matrix_has_its_pairs_on_both_sides_and_is_infinite_elsewhere() -> None:
    pairs = pd.DataFrame({"fact_id": "f", "first": [2, 0], "second": [1, 3], "distance": [0.5, 7.0]})
    matrix = matrix_of_pairs(4, pairs)
    assert matrix.dtype == np.float32
    far = float("inf")
    assert matrix.tolist() == [[0, far, far, 7], [far, 0, 0.5, far], [far, 0.5, 0, far], [7, far, far, 0]]
    assert matrix_of_pairs(2, pairs.iloc[:0]).tolist() == [[0, far], [far, 0]]
    assert matrix_of_pairs(0, pairs.iloc[:0]).shape == (0, 0)
