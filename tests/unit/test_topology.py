"""The dendrogram, ripser's diagrams and SciPy's single linkage must tell one story (docs/method.md)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from dkn.dendrogram import dendrogram, filtration_limit, matrix_of_pairs
from dkn.topology import persistence_diagrams


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
    deaths = persistence_diagrams(matrix, limit=tree.limit)[0][:, 1]
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
    sizes = [len(group) for group in tree.members()]
    assert sizes == expected[:, 3].astype(int).tolist()


def test_births_deaths_and_members_by_hand() -> None:
    """0-1 at 1, 2-3 at 2, the two pairs at 5; 4 is apart. What lives at the limit dies there."""
    pairs = [(0, 1, 1), (2, 3, 2), (1, 2, 5), (0, 3, 9)]
    matrix = matrix_of_pairs(5, *(np.array(part) for part in zip(*pairs, strict=True)))
    tree = dendrogram(matrix)
    assert tree.limit == 9
    assert tree.birth.tolist() == [1, 2, 5]
    assert tree.death.tolist() == [5, 5, 9]
    assert [group.tolist() for group in tree.members()] == [[0, 1], [2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("points", [0, 1, 4])
def test_nothing_finite_gives_no_component(points: int) -> None:
    matrix = np.full((points, points), np.inf, dtype=np.float32)
    np.fill_diagonal(matrix, 0)
    tree = dendrogram(matrix, 0.5)
    assert not len(tree.birth)
    assert np.isnan(filtration_limit(matrix, 0.5))
    diagrams = persistence_diagrams(matrix, dimension=1)
    assert len(diagrams[0]) == points
    assert np.isinf(diagrams[0][:, 1]).all()
    assert not len(diagrams[1])


def test_a_square_has_a_loop() -> None:
    """Four points on a ring: born when its sides are there, filled when the diagonals are."""
    pairs = [(0, 1, 1), (1, 2, 1), (2, 3, 1), (0, 3, 1), (0, 2, 3), (1, 3, 3)]
    matrix = matrix_of_pairs(4, *(np.array(part) for part in zip(*pairs, strict=True)))
    assert persistence_diagrams(matrix, dimension=1)[1].tolist() == [[1, 3]]
