"""NTC's choice of components (docs/method.md)."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from dkn.errors import UserError
from dkn.structure.dendrogram import dendrogram
from dkn.structure.ntc import NTCSettings, best_antichain, ntc, persistence
from tests.unit.distances import distances_of


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
    members = [set(tree.members(merge).tolist()) for merge in range(len(lifetimes))]
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
    square = distances_of(4, pairs)
    found = ntc(square, NTCSettings("difference", 0.05, 1.0, 2))
    assert [component.members.tolist() for component in found] == [[0, 1], [2, 3]]
    assert [(component.birth, component.death) for component in found] == [(1, 8), (1.5, 8)]
    assert found[0].persistence == pytest.approx(7 / 8.5)
    by_ratio = ntc(square, NTCSettings("ratio", 0.05, 1.0, 2))
    assert by_ratio[0].persistence == pytest.approx(np.log(8))


def test_minimum_size_and_tau1_exclude() -> None:
    pairs = [(0, 1, 1), (2, 3, 1.5), (1, 2, 8), (0, 3, 8.5)]
    square = distances_of(4, pairs)
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


def level_sets(square: np.ndarray, limit: float) -> dict[frozenset[int], tuple[float, float]]:
    """Birth and death of every component of two or more points, by growing the graph one distance at a time."""
    heights = [height for height in np.unique(square[np.isfinite(square) & (square > 0)]) if height <= limit]
    alive: dict[frozenset[int], float] = {}
    finished = {}
    for height in heights:
        _, labels = connected_components(csr_array((square <= height) & (square > 0)))
        groups = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
        groups = {group for group in groups if len(group) > 1}
        for gone in set(alive) - groups:
            finished[gone] = (alive.pop(gone), height)
        for new in groups - set(alive):
            alive[new] = height
    return finished | {group: (birth, limit) for group, birth in alive.items() if birth < limit}


def exhaustive(square: np.ndarray, rule: NTCSettings) -> float:
    """The largest total persistence of any disjoint choice of components, from first principles."""
    finite = square[np.triu(np.isfinite(square), 1)].astype(float)
    limit = float(np.quantile(finite, rule.quantile)) if len(finite) else np.nan
    found = level_sets(square.astype(float), limit)
    lives = {
        group: np.log(death / birth) if rule.persistence == "ratio" else (death - birth) / limit
        for group, (birth, death) in found.items()
    }
    bound = np.quantile(list(lives.values()), rule.tau1) if rule.tau1_is_quantile and lives else rule.tau1
    usable = [(group, life) for group, life in lives.items() if len(group) >= rule.min_size and life > bound]

    def best(at: int, taken: frozenset[int]) -> float:
        if at == len(usable):
            return 0.0
        group, life = usable[at]
        without = best(at + 1, taken)
        return without if group & taken else max(without, life + best(at + 1, taken | group))

    return best(0, frozenset())


RULES = st.builds(
    NTCSettings,
    st.sampled_from(["difference", "ratio"]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.2, 0.6, 1.0]),
    st.sampled_from([2, 3]),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(points=st.integers(2, 10), seed=st.integers(0, 2**16), rule=RULES, ties=st.booleans())
def test_ntc_equals_an_exhaustive_search_over_level_sets(points: int, seed: int, rule: NTCSettings, ties: bool) -> None:
    """With every option; components found without a tree, antichains by trying all."""
    square = matrix(points, seed)
    if ties:
        square = np.ceil(square / 3)
    found = ntc(square, rule)
    together = np.concatenate([component.members for component in found] or [np.zeros(0, dtype=int)])
    assert len(set(together.tolist())) == len(together)
    assert sum(component.persistence for component in found) == pytest.approx(exhaustive(square, rule))


@settings(max_examples=150, deadline=None)
@given(points=st.integers(2, 14), seed=st.integers(0, 2**16), rule=RULES, scale=st.sampled_from([1.0, 3.7]))
def test_ties_do_not_make_the_order_of_neurons_matter(points: int, seed: int, rule: NTCSettings, scale: float) -> None:
    square = np.ceil(matrix(points, seed) / 3) * np.float32(scale)
    order = np.random.default_rng(seed).permutation(points)

    def described(distances: np.ndarray, names: np.ndarray) -> set[tuple[frozenset[int], float, float]]:
        return {(frozenset(names[c.members].tolist()), c.birth, c.death) for c in ntc(distances, rule)}

    assert described(square, np.arange(points)) == described(square[np.ix_(order, order)], order)


def test_a_tie_in_persistence_goes_to_the_larger_component() -> None:
    """Three pairs of persistence 0.1 inside one component of 0.3; in floating point their sum exceeds it."""
    pairs = [(0, 1, 5), (2, 3, 5), (4, 5, 5), (1, 2, 6), (3, 4, 6), (0, 6, 9), (5, 6, 10)]
    square = distances_of(7, pairs)
    assert [c.members.tolist() for c in ntc(square, NTCSettings("difference", 0, 1.0, 2))] == [[0, 1, 2, 3, 4, 5]]


def test_tau1_as_a_quantile_is_of_the_facts_own_components() -> None:
    """Persistences 7 and 6.5 of the pairs and 0.5 of their union, in units of 8.5: more than the median is one."""
    pairs = [(0, 1, 1), (2, 3, 1.5), (1, 2, 8), (0, 3, 8.5)]
    square = distances_of(4, pairs)

    def chosen(quantile: float) -> list[list[int]]:
        return [c.members.tolist() for c in ntc(square, NTCSettings("difference", quantile, 1.0, 2, True))]

    assert chosen(0) == [[0, 1], [2, 3]]
    assert chosen(0.5) == [[0, 1]]
    with pytest.raises(UserError, match=r"below 1, not 1\.5"):
        NTCSettings("difference", 1.5, 1.0, 2, tau1_is_quantile=True)


def test_thousands_of_neurons_that_all_join_one_by_one() -> None:
    """A chain of growing gaps: its whole is the only component that outlives the others together."""
    points = 4000
    gaps = [*(1 + np.arange(points - 2) / points), 9.0]
    square = distances_of(points, [(place, place + 1, gap) for place, gap in enumerate(gaps)])
    found = ntc(square, NTCSettings("difference", 0.05, 1.0, 2))
    assert [len(component.members) for component in found] == [points - 1]


def test_an_unknown_persistence_or_clustering_names_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="difference, ratio"):
        NTCSettings("longevity", 0.05, 1.0, 2)
    with pytest.raises(UserError, match="unknown clustering 'hull'; allowed: antichain, short-edges"):
        NTCSettings("difference", 0.05, 1.0, 2, clustering="hull")
