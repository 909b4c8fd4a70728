"""The released code's clustering: by hand, and against trees that are grown and measured edge by edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkn.structure.ntc import NTCSettings, ntc
from dkn.structure.short_edges import lasting_clusters, short_edges, union_by_rank
from tests.unit.distances import CASES, distances_of, random_distances
from tests.unit.released_structure import clusters

RELEASED = NTCSettings("difference", 0.05, 0.2, 2, clustering="short-edges")


@settings(max_examples=200)
@given(case=CASES, quantile=st.sampled_from([0.2, 0.6, 1.0]), scale=st.sampled_from([1.0, 15.0]))
def test_the_clusters_are_those_of_trees_grown_edge_by_edge(
    case: tuple[int, int, float, bool], quantile: float, scale: float
) -> None:
    """With ties, infinite distances, and distances beyond 100."""
    points, seed, finite, rounded = case
    square = random_distances(points, seed, finite, rounded) * np.float32(scale)
    found = ntc(square, NTCSettings("ratio", 9.0, quantile, 2, clustering="short-edges"))
    assert {(frozenset(c.members.tolist()), c.birth, c.death) for c in found} == clusters(square, quantile)
    assert [c.persistence for c in found] == [c.death - c.birth for c in found]
    assert [c.members[0] for c in found] == sorted(c.members[0] for c in found)
    assert all(c.members.tolist() == sorted(c.members.tolist()) for c in found)


def test_the_planted_cases_keep_and_drop_clusters() -> None:
    """So that the test above compares more than empty sets: many cases have several clusters, and some lose one."""
    kept, dropped = 0, 0
    for seed in range(30):
        square = random_distances(14, seed, 0.6)
        edges = short_edges(square, 0.2)
        roots, _ = union_by_rank(14, edges[: len(edges) // 2])
        of_fact = len(clusters(square, 0.2))
        kept += of_fact >= 2
        dropped += sum(roots.count(root) >= 2 for root in set(roots)) - of_fact
    assert kept > 10
    assert dropped > 0


def test_edges_are_below_the_quantile_and_only_the_shorter_half_joins() -> None:
    """Of ten edges the quantile 0.5 lies at 5.5: five are below, two of them join, and all clusters die at 5."""
    pairs = [(0, 1, 1.0), (2, 3, 2.0), (4, 5, 3.0), (0, 2, 4.0), (1, 3, 5.0)]
    pairs += [(0, 6, 6.0), (1, 6, 7.0), (2, 6, 8.0), (3, 6, 9.0), (4, 6, 10.0), (5, 6, 100.0), (0, 5, 500.0)]
    square = distances_of(7, pairs)
    assert [length for length, _, _ in short_edges(square, 0.5)] == [1, 2, 3, 4, 5]
    found = lasting_clusters(square, 0.5, 2)
    assert [(members.tolist(), birth, death) for members, birth, death in found] == [([0, 1], 1, 5), ([2, 3], 2, 5)]
    assert lasting_clusters(square, 0.5, 3) == []


def test_a_cluster_born_too_late_is_left_out() -> None:
    """Births 1, 1, 4, 4 have the median 2.5: a lifetime of 6 - 4 does not exceed it, and 6 - 1 does."""
    pairs = [(0, 1, 1.0), (2, 3, 4.0), (0, 2, 5.0), (1, 3, 5.5), (0, 3, 6.0), (1, 2, 9.0)]
    found = lasting_clusters(distances_of(4, pairs), 1.0, 2)
    assert [(members.tolist(), birth, death) for members, birth, death in found] == [([0, 1], 1, 6)]


@pytest.mark.parametrize(
    ("edges", "roots", "birth"),
    [
        ([(1.0, 2, 3)], [0, 1, 2, 2], [0, 0, 1, 1]),
        ([(1.0, 2, 3), (2.0, 0, 3)], [2, 1, 2, 2], [2, 0, 1, 1]),  # the single neuron goes below the pair
        ([(1.0, 2, 3), (2.0, 0, 1), (3.0, 1, 3)], [0, 0, 0, 0], [2, 2, 1, 1]),  # of equal ranks the first wins
        ([(1.0, 2, 3), (1.0, 2, 3)], [0, 1, 2, 2], [0, 0, 1, 1]),
        ([], [0, 1, 2, 3], [0, 0, 0, 0]),
    ],
)
def test_union_by_rank_by_hand(edges: list[tuple[float, int, int]], roots: list[int], birth: list[float]) -> None:
    assert union_by_rank(4, edges) == (roots, birth)


@pytest.mark.parametrize("points", [0, 1, 2, 5])
def test_without_short_edges_there_is_no_cluster(points: int) -> None:
    assert ntc(distances_of(points), RELEASED) == []
    equal = np.full((points, points), 2, dtype=np.float32)
    np.fill_diagonal(equal, 0)
    assert ntc(equal, RELEASED) == []  # no edge lies strictly below their quantile
