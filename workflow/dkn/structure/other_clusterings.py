"""Other ways to group a fact's knowledge neurons by their distances (docs/method.md); NTC is in ``dkn.clustering``.

Each function takes the (n, n) distances of one fact, infinite where no path joins two neurons, and gives (n,) integer
labels, ``NOISE`` for neurons in no group. What an infinite distance means is part of each method:

- DBSCAN only asks who is near; a neuron that is infinitely far is no neighbour.
- HDBSCAN's hierarchy is single linkage; an infinite edge is a split at density zero.
- Average linkage and k-means need every distance. Neurons that no chain of finite distances joins are clustered apart;
  within such a *linked part*, the distance of two neurons is the shortest path through its finite distances.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.cluster.vq import kmeans2
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.spatial.distance import squareform
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.decomposition import PCA

from dkn.errors import UserError
from dkn.structure.dendrogram import finite_distances
from dkn.study.names import CLUSTERINGS

NOISE = -1


@dataclass(frozen=True)
class GroupingSettings:
    """Parameters of the groupings.

    Attributes:
        min_size: the fewest neurons of a group.
        dbscan_min_samples: neurons within eps that make a core, itself included.
        hdbscan_min_samples: neurons within the core distance, itself included.
        max_groups: the most groups that average linkage and k-means try in one linked part.
        variance: share of the variance of distance rows that k-means keeps.
        restarts: random starts of k-means; the one with the smallest distortion is kept.
    """

    min_size: int
    dbscan_min_samples: int
    hdbscan_min_samples: int
    max_groups: int
    variance: float
    restarts: int


def nearest_neighbours(distances: np.ndarray) -> np.ndarray:
    """The distances, all finite, of the neurons that have a neighbour to their nearest one."""
    others = distances.astype(np.float64)
    np.fill_diagonal(others, np.inf)
    nearest = others.min(axis=1, initial=np.inf)
    return nearest[np.isfinite(nearest)]


def dbscan(distances: np.ndarray, min_samples: int) -> np.ndarray:
    """DBSCAN whose eps is the median of the finite nearest-neighbour distances."""
    nearest = nearest_neighbours(distances)
    if not len(nearest):
        return np.full(len(distances), NOISE)
    finite = finite_distances(distances)
    neighbours = (finite + finite.T).tocsr()  # absent entries are no neighbours
    return DBSCAN(eps=float(np.median(nearest)), min_samples=min_samples, metric="precomputed").fit(neighbours).labels_


def hdbscan(distances: np.ndarray, min_size: int, min_samples: int) -> np.ndarray:
    """HDBSCAN; the whole of a fact's neurons is never a group, a linked part of them can be."""
    if not len(nearest_neighbours(distances)) or len(distances) < min_samples:
        return np.full(len(distances), NOISE)
    method = HDBSCAN(min_cluster_size=min_size, min_samples=min_samples, metric="precomputed", copy=True)
    with warnings.catch_warnings():  # infinite edges are meant
        warnings.filterwarnings("ignore", "The minimum spanning tree contains edge weights with value infinity")
        return method.fit(distances.astype(np.float64)).labels_


def linked_parts(distances: np.ndarray) -> list[np.ndarray]:
    """The sets of neurons, two or more, that chains of finite distances join; each ascending."""
    count, labels = connected_components(finite_distances(distances), directed=False)
    parts = (np.flatnonzero(labels == label) for label in range(count))
    return [part for part in parts if len(part) > 1]


def path_distances(distances: np.ndarray) -> np.ndarray:
    """(n, n) float64 lengths of the shortest paths through finite distances; the part must be linked."""
    return shortest_path(finite_distances(distances).tocsr(), method="D", directed=False)


def silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette of all neurons from their (n, n) distances; one that is alone in its group counts 0.

    The same as scikit-learn's ``silhouette_score``, which spends most of its time on checking its arguments. -1 where
    there are fewer than two groups.
    """
    groups, places = np.unique(labels, return_inverse=True)
    if len(groups) < 2:
        return -1.0
    member = np.eye(len(groups))[places]
    sizes = member.sum(axis=0)
    totals = distances @ member
    own = np.arange(len(labels)), places
    others = totals / sizes
    others[own] = np.inf
    between = others.min(axis=1)
    within = totals[own] / np.maximum(sizes[places] - 1, 1)
    larger = np.maximum(within, between)
    width = np.divide(between - within, larger, out=np.zeros_like(larger), where=larger > 0)
    return float(np.where(sizes[places] > 1, width, 0).mean())


def _best_of_counts(
    distances: np.ndarray, max_groups: int, cuts: Callable[[np.ndarray], Callable[[int], np.ndarray]]
) -> np.ndarray:
    """Labels over all linked parts: in each, the number of groups with the largest silhouette, the fewer on a tie.

    Args:
        distances: of one fact.
        max_groups: the most groups tried in a part; never more than half its neurons, since a group has two.
        cuts: from a part's path distances to a function (number of groups) -> labels.
    """
    labels, used = np.full(len(distances), NOISE), 0
    for part in linked_parts(distances):
        paths = path_distances(distances[np.ix_(part, part)])
        found = np.zeros(len(part), dtype=int)  # fewer than four neurons are no two groups of two
        if counts := range(2, min(max_groups, len(part) // 2) + 1):
            cut = cuts(paths)
            found = max((cut(count) for count in counts), key=lambda tried: silhouette(paths, tried))
        labels[part] = found + used
        used += int(found.max()) + 1
    return labels


def hierarchical(distances: np.ndarray, max_groups: int) -> np.ndarray:
    """Average linkage, cut in each linked part where the silhouette is largest."""

    def cuts(paths: np.ndarray) -> Callable[[int], np.ndarray]:
        cut = cut_tree(linkage(squareform(paths, checks=False), "average"))  # column n - k has k groups
        return lambda count: cut[:, len(paths) - count]

    return _best_of_counts(distances, max_groups, cuts)


def kmeans(
    distances: np.ndarray, max_groups: int, variance: float, restarts: int, generator: np.random.Generator
) -> np.ndarray:
    """k-means on the principal components of each linked part's distance rows, k where the silhouette is largest."""

    def cuts(paths: np.ndarray) -> Callable[[int], np.ndarray]:
        points = PCA(variance, svd_solver="full").fit_transform(paths)

        def cut(count: int) -> np.ndarray:
            found = [kmeans2(points, count, minit="++", missing="warn", rng=generator) for _ in range(restarts)]
            distortions = [np.square(points - centres[labels]).sum() for centres, labels in found]
            return found[int(np.argmin(distortions))][1]

        return cut

    with warnings.catch_warnings():  # equal rows leave a centre without any; fewer groups are then compared
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        return _best_of_counts(distances, max_groups, cuts)


def grouped(
    method: str, distances: np.ndarray, settings: GroupingSettings, generator: np.random.Generator
) -> list[np.ndarray]:
    """The groups of one fact that are large enough, as places, each ascending, in the order of their first neuron.

    Raises:
        UserError: no such method.
    """
    if method == "dbscan":
        labels = dbscan(distances, settings.dbscan_min_samples)
    elif method == "hierarchical":
        labels = hierarchical(distances, settings.max_groups)
    elif method == "kmeans":
        labels = kmeans(distances, settings.max_groups, settings.variance, settings.restarts, generator)
    elif method == "hdbscan":
        labels = hdbscan(distances, settings.min_size, settings.hdbscan_min_samples)
    else:
        raise UserError(f"unknown grouping {method!r}; allowed: {', '.join(CLUSTERINGS)}")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels[labels != NOISE])]
    return sorted((group for group in groups if len(group) >= settings.min_size), key=lambda group: int(group[0]))
