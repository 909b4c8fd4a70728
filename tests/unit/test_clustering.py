"""NTC's choice of components and the control (docs/method.md)."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkn.clustering import NTCSettings, best_antichain, ntc, persistence, random_partition
from dkn.dendrogram import dendrogram, matrix_of_pairs
from dkn.errors import UserError
from dkn.functional_test import FunctionalTest, recovery, relative_drop


def matrix(points: int, seed: int) -> np.ndarray:
    """Random symmetric distances, some infinite."""
    draw = np.random.default_rng(seed)
    upper = np.where(draw.random((points, points)) < 0.8, draw.uniform(0.5, 10, (points, points)), np.inf)
    square = np.triu(upper, 1).astype(np.float32)
    square = square + square.T
    np.fill_diagonal(square, 0)
    return square


@settings(max_examples=150, deadline=None)
@given(points=st.integers(2, 8), seed=st.integers(0, 2**16), threshold=st.sampled_from([0.0, 0.1, 0.3]))
def test_the_antichain_has_the_largest_total_persistence(points: int, seed: int, threshold: float) -> None:
    """Against all sets of components, no two of them nested."""
    tree = dendrogram(matrix(points, seed))
    lifetimes = persistence(tree, "difference")
    eligible = lifetimes > threshold
    members = [set(group.tolist()) for group in tree.members()]
    best = 0.0
    usable = np.flatnonzero(eligible)
    for size in range(1, len(usable) + 1):
        for chosen in combinations(usable, size):
            if all(not members[a] & members[b] for a, b in combinations(chosen, 2)):
                best = max(best, float(lifetimes[list(chosen)].sum()))
    found = best_antichain(tree, lifetimes, eligible)
    assert all(eligible[found])
    assert all(not members[a] & members[b] for a, b in combinations(found, 2))
    assert float(lifetimes[found].sum()) == pytest.approx(best)


def test_two_clusters_by_hand() -> None:
    """Two tight pairs far from each other: both are kept, the weak union is not."""
    pairs = [(0, 1, 1), (2, 3, 1.5), (1, 2, 8), (0, 3, 8.5)]
    square = matrix_of_pairs(4, *(np.array(part) for part in zip(*pairs, strict=True)))
    found = ntc(square, NTCSettings("difference", 0.05, 1.0, 2))
    assert [component.members.tolist() for component in found] == [[0, 1], [2, 3]]
    assert [(component.birth, component.death) for component in found] == [(1, 8), (1.5, 8)]
    assert found[0].persistence == pytest.approx(7 / 8.5)
    by_ratio = ntc(square, NTCSettings("ratio", 0.05, 1.0, 2))
    assert by_ratio[0].persistence == pytest.approx(np.log(8))


def test_minimum_size_and_tau1_exclude() -> None:
    pairs = [(0, 1, 1), (2, 3, 1.5), (1, 2, 8), (0, 3, 8.5)]
    square = matrix_of_pairs(4, *(np.array(part) for part in zip(*pairs, strict=True)))
    assert [c.members.tolist() for c in ntc(square, NTCSettings("difference", 0.05, 1.0, 3))] == [[0, 1, 2, 3]]
    assert ntc(square, NTCSettings("difference", 0.9, 1.0, 2)) == []


@pytest.mark.parametrize("points", [0, 1, 3])
def test_no_finite_distance_no_component(points: int) -> None:
    square = np.full((points, points), np.inf, dtype=np.float32)
    np.fill_diagonal(square, 0)
    assert ntc(square, NTCSettings("difference", 0.05, 0.2, 2)) == []


def test_equal_distances_give_one_component() -> None:
    square = np.full((5, 5), 2, dtype=np.float32)
    np.fill_diagonal(square, 0)
    assert ntc(square, NTCSettings("difference", 0.05, 1.0, 2)) == []  # born and dead at the limit


def test_unknown_persistence_names_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="difference, ratio"):
        NTCSettings("longevity", 0.05, 1.0, 2)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), spare=st.integers(0, 5), seed=st.integers(0, 99))
def test_the_control_matches_sizes_and_is_disjoint(sizes: list[int], spare: int, seed: int) -> None:
    groups = random_partition(sizes, sum(sizes) + spare, np.random.default_rng(seed))
    assert [len(group) for group in groups] == sizes
    joined = np.concatenate(groups)
    assert len(set(joined.tolist())) == len(joined)
    assert joined.max() < sum(sizes) + spare


def test_the_control_reaches_every_neuron() -> None:
    """It draws from all of a fact's neurons, not from those in components."""
    draw = np.random.default_rng(0)
    seen = {int(place) for _ in range(200) for group in random_partition([2, 2], 8, draw) for place in group}
    assert seen == set(range(8))


def test_recovery_and_drop_by_hand() -> None:
    np.testing.assert_allclose(recovery(np.array([0.2, 0.5, 0.8]), 0.2, 0.8), [0, 0.5, 1])
    assert np.isnan(recovery(np.array([0.5]), 0.8, 0.8)).all()
    assert relative_drop(0.8, 0.2) == pytest.approx(0.75)


def test_the_functional_tests_disagree_where_they_should() -> None:
    """A component that nobody misses passes compensation and fails sufficiency."""
    useless = np.array([0.0]), np.array([0.01])
    assert not FunctionalTest("sufficiency", 0.1).passes(*useless)[0]
    assert FunctionalTest("compensation", 0.05).passes(*useless)[0]
    assert not FunctionalTest("sufficiency", 0.1).passes(np.array([np.nan]), np.array([0.5]))[0]
    with pytest.raises(UserError, match="sufficiency, compensation"):
        FunctionalTest("necessity", 0.1)
