"""The other groupings on planted distances, with and without infinite ones (docs/method.md)."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform
from sklearn.metrics import silhouette_score

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.structure.other_clusterings import (
    NOISE,
    GroupingSettings,
    dbscan,
    grouped,
    hierarchical,
    linked_parts,
    nearest_neighbours,
    path_distances,
    silhouette,
)
from dkn.study.names import CLUSTERINGS
from tests.unit.distances import distances_of, random_distances

SETTINGS = GroupingSettings(
    min_size=2, dbscan_min_samples=2, hdbscan_min_samples=2, max_groups=8, variance=0.9, restarts=4
)

FILLED = replace(SETTINGS, rivals="filled")


def groups_of(method: str, distances: np.ndarray, how: GroupingSettings = SETTINGS) -> list[list[int]]:
    return [group.tolist() for group in grouped(method, distances, how, generator(0, method, "f"))]


def unlinked(points: int) -> np.ndarray:
    """No finite distance at all."""
    return distances_of(points)


def layered(sizes: list[list[int]], near: float, far: float, seed: int = 0) -> tuple[np.ndarray, list[list[int]]]:
    """Neurons in layers 0 and 1: finite distances across layers only, small within planted clusters, large between.

    Args:
        sizes: per cluster its neurons in either layer.
    """
    draw = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), [sum(size) for size in sizes])
    layer = np.concatenate([np.repeat([0, 1], size) for size in sizes])
    distances = np.where(cluster[:, None] == cluster, near, far) * draw.uniform(0.9, 1.1, (len(layer),) * 2)
    distances = np.triu(np.where(layer[:, None] == layer, np.inf, distances), 1)
    distances = (distances + distances.T).astype(np.float32)
    np.fill_diagonal(distances, 0)
    return distances, [np.flatnonzero(cluster == place).tolist() for place in range(len(sizes))]


def some_matrix(points: int, seed: int) -> np.ndarray:
    """Random distances, a third of them infinite."""
    draw = np.random.default_rng(seed)
    first, second = np.triu_indices(points, 1)
    kept = draw.random(len(first)) < 0.66
    pairs = zip(first[kept], second[kept], draw.uniform(0.5, 10, kept.sum()), strict=True)
    return distances_of(points, list(pairs))


@pytest.mark.parametrize("method", CLUSTERINGS)
def test_planted_clusters_are_found_though_a_layer_is_infinitely_far(method: str) -> None:
    distances, planted = layered([[4, 3], [3, 3], [2, 4]], near=1, far=50)
    found = groups_of(method, distances)
    if method == "dbscan":  # eps is the median nearest distance: half of the neurons are cores at most, none is wrong
        assert len(found) >= 3
        assert all(any(set(group) <= set(cluster) for cluster in planted) for group in found)
    else:
        assert found == planted


@pytest.mark.parametrize("method", CLUSTERINGS)
def test_neurons_that_nothing_links_are_never_grouped(method: str) -> None:
    """Two linked parts, at very different scales, and two neurons without any finite distance."""
    inner, planted = layered([[3, 3], [3, 3]], near=1, far=40)
    outer, others = layered([[3, 3], [3, 3]], near=1.1, far=400, seed=1)
    distances = np.full((26, 26), np.inf, dtype=np.float32)
    distances[1:13, 1:13], distances[13:25, 13:25] = inner, outer
    np.fill_diagonal(distances, 0)
    expected = [[place + 1 for place in cluster] for cluster in planted]
    expected += [[place + 13 for place in cluster] for cluster in others]
    found = groups_of(method, distances)
    assert all(any(set(group) <= set(cluster) for cluster in expected) for group in found)
    if method in ("hierarchical", "kmeans"):
        assert found == expected


@pytest.mark.parametrize("method", CLUSTERINGS)
@pytest.mark.parametrize("points", [0, 1, 2, 9])
def test_without_a_finite_distance_there_is_no_group(method: str, points: int) -> None:
    assert groups_of(method, unlinked(points)) == []


@pytest.mark.parametrize("method", CLUSTERINGS)
def test_equal_distances_say_nothing_wrong(method: str) -> None:
    distances = np.full((6, 6), 2, dtype=np.float32)
    np.fill_diagonal(distances, 0)
    places = [place for group in groups_of(method, distances) for place in group]
    assert len(set(places)) == len(places)
    if method == "dbscan":
        assert groups_of(method, distances) == [[0, 1, 2, 3, 4, 5]]
    if method == "hdbscan":
        assert not places  # one density, no cluster apart from the whole


@pytest.mark.parametrize("method", CLUSTERINGS)
@settings(max_examples=25, deadline=None)
@given(points=st.integers(2, 14), seed=st.integers(0, 2**16), scale=st.sampled_from([2.0**-12, 2.0**14]))
def test_groups_are_disjoint_linked_and_free_of_scale(method: str, points: int, seed: int, scale: float) -> None:
    """No magic distance anywhere: another unit gives the same groups."""
    distances = some_matrix(points, seed)
    found = groups_of(method, distances)
    places = [place for group in found for place in group]
    assert len(set(places)) == len(places)
    assert all(len(group) >= 2 for group in found)
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    _, part = connected_components(np.isfinite(distances))
    assert all(len(set(part[group])) == 1 for group in found)
    assert groups_of(method, distances * np.float32(scale)) == found


@settings(max_examples=50, deadline=None)
@given(points=st.integers(2, 14), seed=st.integers(0, 2**16))
def test_dbscan_with_two_samples_is_what_eps_links(points: int, seed: int) -> None:
    distances = some_matrix(points, seed)
    nearest = nearest_neighbours(distances)
    off = np.where(np.eye(points, dtype=bool), np.inf, distances)
    np.testing.assert_array_equal(nearest, [row.min() for row in off if np.isfinite(row).any()])
    labels = dbscan(distances, 2)
    if not len(nearest):
        assert (labels == NOISE).all()
        return
    _, linked = connected_components(off <= np.median(nearest))
    together = linked[:, None] == linked
    alone = together.sum(1) == 1
    np.testing.assert_array_equal(labels == NOISE, alone)
    np.testing.assert_array_equal((labels[:, None] == labels)[~alone][:, ~alone], together[~alone][:, ~alone])


@settings(max_examples=50, deadline=None)
@given(points=st.integers(4, 14), seed=st.integers(0, 2**16))
def test_average_linkage_is_cut_where_the_silhouette_is_largest(points: int, seed: int) -> None:
    distances = some_matrix(points, seed)
    labels = hierarchical(distances, 8)
    for part in linked_parts(distances):
        if len(part) < 4:
            assert len(set(labels[part])) == 1
            continue
        paths = path_distances(distances[np.ix_(part, part)])
        tree = linkage(squareform(paths, checks=False), "average")
        best = max(
            silhouette_score(paths, fcluster(tree, count, "maxclust"), metric="precomputed")
            for count in range(2, min(8, len(part) // 2) + 1)
        )
        assert silhouette_score(paths, labels[part], metric="precomputed") == pytest.approx(best)


def test_path_distances_by_hand() -> None:
    """0 and 2 lie in one layer: their distance is the way through 1."""
    pairs = [(0, 1, 1), (1, 2, 2), (2, 3, 4), (0, 3, 9)]
    distances = distances_of(4, pairs)
    assert path_distances(distances).tolist() == [[0, 1, 3, 7], [1, 0, 2, 6], [3, 2, 0, 4], [7, 6, 4, 0]]


@given(st.integers(4, 30), st.floats(0.01, 100))
def test_of_equal_silhouettes_the_smallest_number_of_groups_wins(points: int, distance: float) -> None:
    equal = np.full((points, points), distance)
    np.fill_diagonal(equal, 0)
    assert len(np.unique(hierarchical(equal, SETTINGS.max_groups))) == 2


@settings(max_examples=50, deadline=None)
@given(points=st.integers(4, 20), groups=st.integers(2, 3), seed=st.integers(0, 2**16))
def test_silhouettes_are_scikit_learns(points: int, groups: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    place = draw.random((points, 2))
    distances = np.linalg.norm(place[:, None] - place, axis=2)
    labels = np.concatenate([np.arange(groups), draw.integers(groups, size=points - groups)])
    expected = silhouette_score(distances, labels, metric="precomputed")
    assert silhouette(distances, labels) == pytest.approx(expected)
    assert silhouette(distances, np.zeros(points)) == -1


def test_the_smallest_size_counts() -> None:
    distances, _ = layered([[4, 3], [1, 1]], near=1, far=50)
    larger = GroupingSettings(3, 2, 2, 8, 0.9, 4)
    assert [len(group) for group in grouped("hierarchical", distances, larger, generator(0, "x"))] == [7]


def test_kmeans_is_the_same_every_time() -> None:
    distances = some_matrix(30, 3)
    assert groups_of("kmeans", distances) == groups_of("kmeans", distances)


def test_an_unknown_grouping_names_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="dbscan, hierarchical, kmeans, hdbscan"):
        grouped("ward", unlinked(3), SETTINGS, generator(0, "x"))
    with pytest.raises(UserError, match="unknown rivals 'none'; allowed: linked, filled"):
        replace(SETTINGS, rivals="none")


def filled(square: np.ndarray) -> list[list[float]]:
    """The distances as the released code has them, in plain numbers."""
    return [[1000.0 if np.isinf(distance) else float(distance) for distance in row] for row in square]


def in_order(groups: Iterable[Iterable[int]]) -> list[list[int]]:
    """Groups of two or more, sorted."""
    return sorted(sorted(group) for group in groups if len(set(group)) >= 2)


def plain_dbscan(square: np.ndarray) -> list[list[int]]:
    """Grow a group from every core that has none, in the order of the neurons; a group takes what its cores reach."""
    rows = filled(square)
    points = range(len(rows))
    eps = float(np.median([min(rows[a][b] for b in points if b != a) for a in points]))
    near = [[b for b in points if rows[a][b] <= eps] for a in points]
    least = max(2, int(len(rows) * 3 / 100))
    group = dict.fromkeys(points, -1)
    for start in points:
        if group[start] >= 0 or len(near[start]) < least:
            continue
        todo, group[start] = [start], start
        while todo:
            core = todo.pop()
            if len(near[core]) >= least:
                todo += (new := [b for b in near[core] if group[b] < 0])
                group |= dict.fromkeys(new, start)
    return in_order([b for b in points if group[b] == start] for start in points)


def plain_average_linkage(square: np.ndarray) -> list[list[int]]:
    """Join the two groups with the smallest mean distance until it exceeds the cut."""
    rows = filled(square)
    cut = np.quantile([rows[a][b] for a, b in combinations(range(len(rows)), 2)], 0.7)
    groups = [[point] for point in range(len(rows))]
    while len(groups) > 1:
        means = {
            (one, other): sum(rows[a][b] for a in one for b in other) / len(one) / len(other)
            for one, other in combinations(map(tuple, groups), 2)
        }
        one, other = min(means, key=means.__getitem__)
        if means[one, other] > cut + 1e-9:
            break
        groups = [group for group in groups if tuple(group) not in (one, other)] + [[*one, *other]]
    return in_order(groups)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 16), st.integers(0, 2**16), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_filled_rivals_equal_plain_loops(points: int, seed: int, finite: float) -> None:
    square = random_distances(points, seed, finite)
    assert groups_of("dbscan", square, FILLED) == plain_dbscan(square)
    assert groups_of("hierarchical", square, FILLED) == plain_average_linkage(square)


def test_many_neurons_make_a_larger_core_of_filled_dbscan() -> None:
    """Of 134 neurons a core needs four, of 133 three: then the triple at the end, the nearest of all, is none."""
    for points, least in ((133, 3), (134, 4)):
        square = random_distances(points, 0)
        square[:-3, -3:] = square[-3:, :-3] = np.inf
        square[-3:, -3:] = 0.1 * (1 - np.eye(3))
        found = groups_of("dbscan", square, FILLED)
        assert found == plain_dbscan(square)
        assert ([points - 3, points - 2, points - 1] in found) == (least == 3)


def test_filled_kmeans_has_the_smallest_distortion_of_all_halves() -> None:
    """Up to 19 neurons there are two groups; the components are the fewest that hold 95 % of the rows' variance."""
    several = 0
    for seed in range(15):
        square = random_distances(9, seed, 0.8)
        rows = np.array(filled(square))
        centred = rows - rows.mean(axis=0)
        _, length, axes = np.linalg.svd(centred)
        share = np.cumsum(length**2) / np.sum(length**2)
        points = centred @ axes[: 1 + int(np.argmax(share > 0.95))].T

        def distortion(group: set[int], points: np.ndarray = points) -> float:
            inside = np.isin(np.arange(9), list(group))
            return float(sum(np.square(part - part.mean(axis=0)).sum() for part in (points[inside], points[~inside])))

        halves = [set(group) for size in range(1, 5) for group in combinations(range(9), size)]
        best = min(halves, key=distortion)
        found = groups_of("kmeans", square, replace(FILLED, restarts=40))
        assert found == in_order([best, set(range(9)) - best])
        several += len(found) == 2
    assert several > 5


@pytest.mark.parametrize(("neurons", "groups"), [(12, 2), (29, 2), (30, 3), (49, 4), (50, 5)])
def test_filled_kmeans_makes_a_group_of_every_ten_neurons(neurons: int, groups: int) -> None:
    """As many groups are planted, infinitely far from each other."""
    planted = np.arange(neurons) % groups
    square = np.where(planted[:, None] == planted, random_distances(neurons, 0), np.inf)
    expected = [np.flatnonzero(planted == group).tolist() for group in range(groups)]
    assert groups_of("kmeans", square, replace(FILLED, restarts=20)) == expected


@pytest.mark.parametrize("method", CLUSTERINGS)
def test_filled_rivals_take_facts_of_any_size(method: str) -> None:
    for points in (0, 1):
        assert groups_of(method, unlinked(points), FILLED) == []
    for pair in (unlinked(2), distances_of(2, [(0, 1, 3.0)])):
        assert groups_of(method, pair, FILLED) == ([] if method in ("kmeans", "hdbscan") else [[0, 1]])
    single = replace(FILLED, min_size=1)
    one = [] if method in ("dbscan", "hdbscan") else [[0]]
    assert groups_of(method, unlinked(1), single) == one
    assert groups_of(method, unlinked(0), single) == []


def test_hdbscan_is_the_same_with_filled_rivals() -> None:
    square, planted = layered([[4, 3], [3, 3], [2, 4]], near=1, far=50)
    assert groups_of("hdbscan", square, FILLED) == groups_of("hdbscan", square) == planted
