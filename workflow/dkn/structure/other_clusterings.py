"""Other methods that group a fact's knowledge neurons by their distances; ``dkn.structure.ntc`` has NTC.

Each clustering takes the (n, n) distances between the n knowledge neurons of one fact, which are infinite where no path
joins two neurons, and gives (n,) integer labels: the number of a neuron's group, or ``NOISE`` for a neuron in no group.
What an infinite distance means is part of each method:

- DBSCAN only asks which neurons are near; a neuron that is infinitely far is no neighbour.
- The hierarchy of HDBSCAN is single linkage; an infinite edge is a split at density zero.
- Average linkage and k-means need every distance. Neurons that no chain of finite distances joins are clustered apart.
  Within a set of neurons that such chains join, called a *linked part*, the distance of two neurons is the length of
  the shortest path through finite distances.

The released code puts a number in place of an infinite distance and has simpler rules for the rest. These are the
functions named ``filled_…`` here, which take distances without infinite ones.

The *silhouette* of a neuron compares its mean distance to its own group with that to the nearest other group; it lies
between -1 and 1, and a larger value means a better separation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from scipy.cluster.vq import kmeans2
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.spatial.distance import squareform
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.decomposition import PCA

from dkn.errors import UserError
from dkn.structure.dendrogram import finite_distances
from dkn.study.names import CLUSTERINGS

NOISE = -1
RIVALS = ("linked", "filled")
# The released code's: what an unreachable neuron is away, and the settings of its clusterings.
UNREACHABLE = 1000.0
FILLED_PERCENT = 3  # of the neurons make a core of DBSCAN
FILLED_CUT = 0.7  # the quantile of all distances at which average linkage is cut
FILLED_VARIANCE = 0.95  # the share of the variance of distance rows that k-means keeps
FILLED_NEURONS_PER_GROUP = 10  # of k-means


@dataclass(frozen=True)
class GroupingSettings:
    """The parameters of the clusterings.

    Attributes:
        min_size: the fewest neurons of a group.
        dbscan_min_samples: the number of neurons within eps that make a neuron a core of DBSCAN, itself included.
        hdbscan_min_samples: the number of neurons within HDBSCAN's core distance of a neuron, itself included.
        max_groups: the most groups that average linkage and k-means try in one linked part.
        variance: the share of the variance of distance rows that k-means keeps, above 0 and below 1.
        restarts: the number of random starts of k-means; the result with the smallest distortion is kept.
        rivals: ``linked``, as this module describes it, or ``filled``, as the released code clusters. It has no
            HDBSCAN, which is the same in both.

    Raises:
        UserError: ``rivals`` is neither.
    """

    min_size: int
    dbscan_min_samples: int
    hdbscan_min_samples: int
    max_groups: int
    variance: float
    restarts: int
    rivals: str = "linked"

    def __post_init__(self) -> None:
        if self.rivals not in RIVALS:
            raise UserError(f"unknown rivals {self.rivals!r}; allowed: {', '.join(RIVALS)}")


def nearest_neighbours(distances: np.ndarray) -> np.ndarray:
    """Return each neuron's distance to its nearest neighbour, for the neurons that have one at a finite distance."""
    others = distances.astype(np.float64)
    np.fill_diagonal(others, np.inf)
    nearest = others.min(axis=1, initial=np.inf)
    return nearest[np.isfinite(nearest)]


def dbscan(distances: np.ndarray, min_samples: int) -> np.ndarray:
    """Return the labels (n,) of DBSCAN, whose eps is the median of the finite nearest-neighbour distances."""
    nearest = nearest_neighbours(distances)
    if not len(nearest):
        return np.full(len(distances), NOISE)
    finite = finite_distances(distances)
    neighbours = (finite + finite.T).tocsr()  # an absent entry is no neighbour
    return DBSCAN(eps=float(np.median(nearest)), min_samples=min_samples, metric="precomputed").fit(neighbours).labels_


def hdbscan(distances: np.ndarray, min_size: int, min_samples: int) -> np.ndarray:
    """Return the labels (n,) of HDBSCAN; all neurons of a fact together are never a group, but a linked part may be."""
    if not len(nearest_neighbours(distances)) or len(distances) < min_samples:
        return np.full(len(distances), NOISE)
    method = HDBSCAN(min_cluster_size=min_size, min_samples=min_samples, metric="precomputed", copy=True)
    with warnings.catch_warnings():  # infinite edges are intended
        warnings.filterwarnings("ignore", "The minimum spanning tree contains edge weights with value infinity")
        return method.fit(distances.astype(np.float64)).labels_


def linked_parts(distances: np.ndarray) -> list[np.ndarray]:
    """Return the sets of two or more neurons that chains of finite distances join, each ascending."""
    count, labels = connected_components(finite_distances(distances), directed=False)
    parts = (np.flatnonzero(labels == label) for label in range(count))
    return [part for part in parts if len(part) > 1]


def path_distances(distances: np.ndarray) -> np.ndarray:
    """Return the lengths of the shortest paths through finite distances, (n, n) float64, in one linked part."""
    return shortest_path(finite_distances(distances).tocsr(), method="D", directed=False)


def silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean silhouette of n neurons, from -1 to 1; a neuron that is alone in its group counts 0.

    The result is -1 where there are fewer than two groups. Otherwise it is that of scikit-learn's ``silhouette_score``,
    which spends most of its time on checking its arguments.

    Args:
        distances: (n, n), all finite.
        labels: (n,), the neurons' groups.
    """
    groups, group = np.unique(labels, return_inverse=True)
    if len(groups) < 2:
        return -1.0
    member = np.eye(len(groups))[group]
    sizes = member.sum(axis=0)
    totals = distances @ member
    own = np.arange(len(labels)), group
    others = totals / sizes
    others[own] = np.inf
    between = others.min(axis=1)
    within = totals[own] / np.maximum(sizes[group] - 1, 1)
    larger = np.maximum(within, between)
    width = np.divide(between - within, larger, out=np.zeros_like(larger), where=larger > 0)
    return float(np.where(sizes[group] > 1, width, 0).mean())


def _best_of_counts(
    distances: np.ndarray, max_groups: int, cuts: Callable[[np.ndarray], Callable[[int], np.ndarray]]
) -> np.ndarray:
    """Cut each linked part of one fact's neurons into the number of groups with the largest silhouette.

    On a tie, a difference below 1e-9, the smaller number of groups wins.

    Args:
        distances: (n, n), the fact's distances.
        max_groups: the most groups that are tried in a part; never more than half its neurons, since a group has two.
        cuts: a function from a part's path distances to a function from a number of groups to the neurons' labels.
    Returns:
        (n,), the labels over all linked parts.
    """
    labels, used = np.full(len(distances), NOISE), 0
    for part in linked_parts(distances):
        paths = path_distances(distances[np.ix_(part, part)])
        part_labels = np.zeros(len(part), dtype=int)  # fewer than four neurons cannot be two groups of two
        if counts := range(2, min(max_groups, len(part) // 2) + 1):
            cut = cuts(paths)
            tried = [cut(count) for count in counts]
            # the order of a sum changes its last digits; max keeps the first of those that are equal
            part_labels = max(tried, key=lambda labels_of_count: round(silhouette(paths, labels_of_count), 9))
        labels[part] = part_labels + used
        used += int(part_labels.max()) + 1
    return labels


def hierarchical(distances: np.ndarray, max_groups: int) -> np.ndarray:
    """Return the labels (n,) of average linkage, cut in each linked part where the silhouette is largest."""

    def cuts(paths: np.ndarray) -> Callable[[int], np.ndarray]:
        labels = cut_tree(linkage(squareform(paths, checks=False), "average"))  # column n - k has k groups
        return lambda count: labels[:, len(paths) - count]

    return _best_of_counts(distances, max_groups, cuts)


def _nearest_centres(points: np.ndarray, count: int, restarts: int, generator: np.random.Generator) -> np.ndarray:
    """Return the labels of k-means with a number of groups, (n,): of several random starts the smallest distortion.

    Args:
        points: (n, dimensions).
    """
    results = [kmeans2(points, count, minit="++", missing="warn", rng=generator) for _ in range(restarts)]
    distortions = [np.square(points - centres[labels]).sum() for centres, labels in results]
    return results[int(np.argmin(distortions))][1]


def kmeans(
    distances: np.ndarray, max_groups: int, variance: float, restarts: int, generator: np.random.Generator
) -> np.ndarray:
    """Return the labels (n,) of k-means in each linked part, with the k whose silhouette is largest.

    Args:
        variance: k-means runs on those principal components of the part's rows of distances that hold this share of
            their variance.
        restarts: the number of random starts; the result with the smallest distortion is kept.
    """

    def cuts(paths: np.ndarray) -> Callable[[int], np.ndarray]:
        points = PCA(variance, svd_solver="full").fit_transform(paths)

        return lambda count: _nearest_centres(points, count, restarts, generator)

    with warnings.catch_warnings():  # equal rows leave a centre without rows, and fewer groups are compared
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        return _best_of_counts(distances, max_groups, cuts)


def filled_dbscan(distances: np.ndarray) -> np.ndarray:
    """Return the labels (n,) of the released code's DBSCAN: eps is the median nearest-neighbour distance."""
    nearest = nearest_neighbours(distances)
    if not len(nearest):
        return np.full(len(distances), NOISE)
    min_samples = max(2, FILLED_PERCENT * len(distances) // 100)
    return DBSCAN(eps=float(np.median(nearest)), min_samples=min_samples, metric="precomputed").fit(distances).labels_


def filled_hierarchical(distances: np.ndarray) -> np.ndarray:
    """Return the labels (n,) of the released code's average linkage, cut at a quantile of all distances."""
    pairs = squareform(distances, checks=False)
    if not len(pairs):
        return np.zeros(len(distances), dtype=int)
    return fcluster(linkage(pairs, "average"), float(np.quantile(pairs, FILLED_CUT)), "distance")


def filled_kmeans(distances: np.ndarray, restarts: int, generator: np.random.Generator) -> np.ndarray:
    """Return the labels (n,) of the released code's k-means, whose number of groups follows from n."""
    if len(distances) < 2:
        return np.zeros(len(distances), dtype=int)
    count = min(max(2, len(distances) // FILLED_NEURONS_PER_GROUP), len(distances))
    points = PCA(FILLED_VARIANCE, svd_solver="full").fit_transform(distances)
    with warnings.catch_warnings():  # as in ``kmeans``
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        return _nearest_centres(points, count, restarts, generator)


def _filled_labels(
    method: str, distances: np.ndarray, settings: GroupingSettings, generator: np.random.Generator
) -> np.ndarray:
    """Return the labels (n,) of DBSCAN, average linkage or k-means as the released code clusters."""
    filled = np.where(np.isfinite(distances), distances, UNREACHABLE).astype(np.float64)
    if method == "dbscan":
        return filled_dbscan(filled)
    if method == "hierarchical":
        return filled_hierarchical(filled)
    return filled_kmeans(filled, settings.restarts, generator)


def grouped(
    method: str, distances: np.ndarray, settings: GroupingSettings, generator: np.random.Generator
) -> list[np.ndarray]:
    """Return the groups of one fact's knowledge neurons that have at least ``settings.min_size`` neurons.

    Args:
        method: one of ``dkn.study.names.CLUSTERINGS``.
        distances: (n, n), the fact's distances.
        generator: the random generator that k-means starts from.
    Returns:
        For each group its neurons' indices, ascending; the groups are in the order of their first neurons.
    Raises:
        UserError: the method is unknown.
    """
    if settings.rivals == "filled" and method in ("dbscan", "hierarchical", "kmeans"):
        labels = _filled_labels(method, distances, settings, generator)
    elif method == "dbscan":
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
