"""The other groupings on planted distances, with and without infinite ones (docs/method.md)."""

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
from tests.unit.distances import distances_of

SETTINGS = GroupingSettings(
    min_size=2, dbscan_min_samples=2, hdbscan_min_samples=2, max_groups=8, variance=0.9, restarts=4
)


def groups_of(method: str, distances: np.ndarray, seed: int = 0) -> list[list[int]]:
    return [group.tolist() for group in grouped(method, distances, SETTINGS, generator(seed, method, "f"))]


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
