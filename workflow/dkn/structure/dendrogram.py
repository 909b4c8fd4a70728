"""The single-linkage dendrogram of a distance matrix: which components merge at which distance.

A Vietoris-Rips *filtration* joins points in the order of their distances, up to a limit. Its *components* in dimension
0 are the clusters of single linkage: both merge at the edges of a minimum spanning tree. A component is *born* at the
distance of the merge that makes it, and it *dies* at the distance at which it merges into a larger one. The persistence
diagram (``dkn.structure.persistence_diagrams``) has the distances only; the dendrogram also says which components
merge.

Every merge joins two components, so k components that join at one distance make k - 1 merges, of which only the last
has a lifetime. Which components the merges without a lifetime join depends on the order of the points; everything else
does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree


@dataclass(frozen=True)
class Dendrogram:
    """Single linkage of n points up to a limit. Node k < n is point k; node n + m is merge m.

    Attributes:
        points: n, the number of points.
        children: (merges, 2), the nodes that each merge joins.
        birth: (merges,), the distance at which the merge happens, ascending.
        death: (merges,), the distance at which the merged component merges into a larger one, or the limit.
        limit: the distance at which the filtration stops; NaN where there is no finite distance.
    """

    points: int
    children: np.ndarray
    birth: np.ndarray
    death: np.ndarray
    limit: float

    @property
    def sizes(self) -> np.ndarray:
        """The number of points of each merge's component, (merges,)."""
        sizes = [1] * self.points
        for left, right in self.children.tolist():
            sizes.append(sizes[left] + sizes[right])
        return np.array(sizes[self.points :], dtype=int)

    def members(self, merge: int) -> np.ndarray:
        """Return the points in the component of one merge, ascending, in time proportional to their number."""
        points, below = [], [self.points + merge]
        while below:
            node = below.pop()
            if node < self.points:
                points.append(node)
            else:
                below += self.children[node - self.points].tolist()
        return np.sort(np.array(points, dtype=int))


def matrix_of_pairs(size: int, pairs: pd.DataFrame) -> np.ndarray:
    """Return a symmetric (size, size) float32 matrix of distances, zero on the diagonal.

    Args:
        size: the number of points.
        pairs: the finite distances; columns first, second and distance, as in ``schemas.DISTANCES``. All other
            distances are infinite.
    """
    matrix = np.full((size, size), np.inf, dtype=np.float32)
    first, second, distance = (pairs[name].to_numpy() for name in ("first", "second", "distance"))
    matrix[first, second] = distance
    matrix[second, first] = distance
    np.fill_diagonal(matrix, 0)
    return matrix


def finite_distances(distances: np.ndarray) -> coo_array:
    """Return the finite distances above the diagonal of an (n, n) matrix; an absent entry is an infinite distance."""
    row, column = np.nonzero(np.triu(np.isfinite(distances), 1))
    return coo_array((distances[row, column].astype(np.float64), (row, column)), shape=distances.shape)


def filtration(distances: np.ndarray, quantile: float) -> tuple[coo_array, float]:
    """Return the edges of the filtration of an (n, n) distance matrix, and the limit at which it stops.

    Args:
        quantile: the limit as a quantile of the finite distances, from 0 to 1.
    Returns:
        The finite distances up to the limit, above the diagonal, and the limit; NaN where no distance is finite.
    """
    finite = finite_distances(distances)
    if not finite.nnz:
        return finite, float("nan")
    limit = float(np.quantile(finite.data, quantile))
    near = finite.data <= limit
    return coo_array((finite.data[near], tuple(index[near] for index in finite.coords)), shape=finite.shape), limit


def dendrogram(distances: np.ndarray, quantile: float = 1.0) -> Dendrogram:
    """Return the single-linkage dendrogram of an (n, n) distance matrix, whose entries may be infinite.

    Points that no chain of finite distances joins stay apart.

    Args:
        quantile: the limit at which merging stops, as a quantile of the finite distances, from 0 to 1.
    """
    points = len(distances)
    edges, limit = filtration(distances, quantile)
    if not edges.nnz:
        return Dendrogram(points, np.zeros((0, 2), dtype=int), np.zeros(0), np.zeros(0), limit)
    tree = minimum_spanning_tree(edges).tocoo()
    order = np.lexsort((tree.col, tree.row, tree.data))
    parent = list(range(points))  # a union-find structure over the points
    node = list(range(points))  # for a root of it, the node of the dendrogram that its component is
    children, birth = [], []

    def root_of(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    for edge in order:
        left, right = root_of(int(tree.row[edge])), root_of(int(tree.col[edge]))
        children.append((node[left], node[right]))
        birth.append(tree.data[edge])
        parent[right] = left
        node[left] = points + len(birth) - 1
    pairs = np.array(children, dtype=int).reshape(-1, 2)
    death = np.full(len(birth), limit)
    for merge, pair in enumerate(pairs):
        inner = pair[pair >= points] - points
        death[inner] = birth[merge]
    return Dendrogram(points, pairs, np.array(birth, dtype=float), death, limit)
