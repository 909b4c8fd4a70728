"""Ripser's diagrams and the dendrogram must tell one story (docs/method.md)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkn.structure.dendrogram import dendrogram
from dkn.structure.persistence_diagrams import persistence_diagrams
from tests.unit.distances import CASES, distances_of, random_distances


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
    matrix = distances_of(4, pairs)
    assert persistence_diagrams(matrix, dimension=1)[1].tolist() == [[1, 3]]
