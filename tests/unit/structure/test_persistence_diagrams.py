"""The dendrogram, ripser's diagrams and SciPy's single linkage must tell one story (docs/method.md)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from dkn.structure.dendrogram import dendrogram, matrix_of_pairs
from dkn.structure.distances import distance_matrix
from dkn.structure.persistence_diagrams import persistence_diagrams


def random_distances(points: int, seed: int, finite: float = 1.0, rounded: bool = False) -> np.ndarray:
    """Symmetric float32 distances; a share of them infinite, or rounded so that many are equal."""
    draw = np.random.default_rng(seed)
    upper = draw.uniform(0.5, 10, (points, points))
    if rounded:
        upper = np.ceil(upper / 3)
    upper[draw.random((points, points)) > finite] = np.inf
    matrix = np.triu(upper, 1).astype(np.float32)
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0)
    return matrix


CASES = st.tuples(st.integers(2, 14), st.integers(0, 2**16), st.sampled_from([0.2, 0.6, 1.0]), st.booleans())


@settings(max_examples=150, deadline=None)
@given(case=CASES)
def test_h0_deaths_are_the_dendrograms_heights(case: tuple[int, int, float, bool]) -> None:
    """Ripser computes in float32, as the distances are stored: equality is exact."""
    matrix = random_distances(*case)
    tree = dendrogram(matrix)
    deaths = persistence_diagrams(matrix)[0][:, 1]
    np.testing.assert_array_equal(np.sort(deaths[np.isfinite(deaths)]), np.sort(tree.birth))
    assert np.isinf(deaths).sum() == len(matrix) - len(tree.birth)


@settings(max_examples=100, deadline=None)
@given(case=CASES, quantile=st.sampled_from([0.1, 0.5, 0.9]))
def test_a_limit_cuts_both_the_same(case: tuple[int, int, float, bool], quantile: float) -> None:
    matrix = random_distances(*case)
    tree = dendrogram(matrix, quantile)
    if np.isnan(tree.limit):
        assert not len(tree.birth)
        return
    deaths = persistence_diagrams(matrix, quantile=quantile)[0][:, 1]
    np.testing.assert_array_equal(np.sort(deaths[np.isfinite(deaths)]), np.sort(tree.birth))
    assert (tree.birth <= tree.limit).all()
    assert (tree.death <= tree.limit).all()
    assert (tree.death >= tree.birth).all()


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
    matrix = matrix_of_pairs(5, *(np.array(part) for part in zip(*pairs, strict=True)))
    tree = dendrogram(matrix)
    assert tree.limit == 9
    assert tree.birth.tolist() == [1, 2, 5]
    assert tree.death.tolist() == [5, 5, 9]
    assert [tree.members(merge).tolist() for merge in range(3)] == [[0, 1], [2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("points", [0, 1, 4])
def test_nothing_finite_gives_no_component(points: int) -> None:
    matrix = np.full((points, points), np.inf, dtype=np.float32)
    np.fill_diagonal(matrix, 0)
    tree = dendrogram(matrix, 0.5)
    assert not len(tree.birth)
    assert np.isnan(tree.limit)
    diagrams = persistence_diagrams(matrix, dimension=1)
    assert len(diagrams[0]) == points
    assert np.isinf(diagrams[0][:, 1]).all()
    assert not len(diagrams[1])


def test_a_square_has_a_loop() -> None:
    """Four points on a ring: born when its sides are there, filled when the diagonals are."""
    pairs = [(0, 1, 1), (1, 2, 1), (2, 3, 1), (0, 3, 1), (0, 2, 3), (1, 3, 3)]
    matrix = matrix_of_pairs(4, *(np.array(part) for part in zip(*pairs, strict=True)))
    assert persistence_diagrams(matrix, dimension=1)[1].tolist() == [[1, 3]]


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
    row = np.arange(points - 1)
    tree = dendrogram(matrix_of_pairs(points, row, row + 1, 1.0 + row))
    assert tree.sizes.tolist() == list(range(2, points + 1))
    assert tree.members(2998).tolist() == list(range(3000))
