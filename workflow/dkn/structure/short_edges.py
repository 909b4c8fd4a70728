"""The released code's clustering of a fact's knowledge neurons: union-find over its shortest distances.

An *edge* is a pair of neurons with its distance, its *length*. The clusters are those that the shorter half of the
short edges joins. A cluster is kept for a lifetime that is not its persistence (``dkn.structure.ntc``): its birth is
that of a single neuron, and all clusters die together.
"""

from __future__ import annotations

import numpy as np

FAR = 100.0  # the released code takes no distance from here on for an edge


def short_edges(distances: np.ndarray, quantile: float) -> list[tuple[float, int, int]]:
    """Return the edges strictly below a quantile of all edges' lengths, as (length, first, second), first < second.

    Args:
        distances: (n, n), with infinite entries or without; the edges are the entries above the diagonal below ``FAR``.
        quantile: the quantile, from 0 to 1.
    Returns:
        The edges by ascending length; edges of one length are in the order of their first and then their second neuron.
    """
    first, second = np.nonzero(np.triu(distances < FAR, 1))
    lengths = distances[first, second].astype(np.float64)
    if not len(lengths):
        return []
    below = lengths < np.quantile(lengths, quantile)
    return sorted(zip(lengths[below].tolist(), first[below].tolist(), second[below].tolist(), strict=True))


def union_by_rank(points: int, edges: list[tuple[float, int, int]]) -> tuple[list[int], list[float]]:
    """Join points along edges, and return each point's root in the end and each point's birth.

    The birth of a point is the length of the edge at which it, then alone, is joined to another cluster, and 0 for a
    point that stays alone. At an edge the root of the higher rank becomes the root of both clusters; of equal ranks it
    is the root of the edge's first point, whose rank grows by one.

    Args:
        edges: (length, first, second), in the order in which they are joined.
    """
    parent, rank, birth = list(range(points)), [0] * points, [0.0] * points

    def root_of(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    for length, first, second in edges:
        root, other = root_of(first), root_of(second)
        if root == other:
            continue
        for single in (root, other):
            if rank[single] == 0:  # a cluster of two or more has a root of a higher rank
                birth[single] = length
        if rank[root] < rank[other]:
            root, other = other, root
        parent[other] = root
        rank[root] += rank[root] == rank[other]
    return [root_of(point) for point in range(points)], birth


def lasting_clusters(distances: np.ndarray, quantile: float, min_size: int) -> list[tuple[np.ndarray, float, float]]:
    """Return the clusters of one fact's knowledge neurons that the released code keeps.

    Clusters die at the longest edge below the quantile. A cluster is kept if its lifetime, from the birth of its root
    on, exceeds the median birth of all the fact's neurons.

    Args:
        distances: (n, n), the distances between the fact's knowledge neurons.
        quantile: the quantile of the distances below ``FAR`` that edges lie below; 0.2 in the released code.
        min_size: the fewest neurons of a cluster; one of a single neuron is never kept.
    Returns:
        For each cluster its neurons' indices, ascending, its birth and its death, in the order of the first neurons.
    """
    edges = short_edges(distances, quantile)
    if not edges:
        return []
    death = edges[-1][0]
    roots, birth = union_by_rank(len(distances), edges[: len(edges) // 2])
    bound = float(np.median(birth))
    clusters: dict[int, list[int]] = {}
    for point, root in enumerate(roots):
        clusters.setdefault(root, []).append(point)
    return [
        (np.array(members), birth[root], death)
        for root, members in clusters.items()
        if len(members) >= max(2, min_size) and death - birth[root] > bound
    ]
