"""The single-linkage dendrogram of a distance matrix (docs/method.md).

Dimension 0 of a Vietoris-Rips filtration and single linkage are the same thing seen twice: components merge at the
edges of a minimum spanning tree. ``dkn.topology`` gives the persistence diagram, the dendrogram says who merged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree


@dataclass(frozen=True)
class Dendrogram:
    """Single linkage of n points up to a limit. Node k < n is point k; node n + m is the m-th merge.

    Attributes:
        points: n.
        children: (merges, 2) the nodes that each merge joins.
        birth: (merges,) the distance at which the merge happens.
        death: (merges,) the distance at which its component merges into a larger one, or the limit.
        limit: where the filtration stops; NaN if there is no finite distance.
    """

    points: int
    children: np.ndarray
    birth: np.ndarray
    death: np.ndarray
    limit: float

    def members(self) -> list[np.ndarray]:
        """For every merge the points in its component, ascending."""
        below: list[np.ndarray] = [np.array([point]) for point in range(self.points)]
        for left, right in self.children:
            below.append(np.union1d(below[left], below[right]))
        return below[self.points :]


def matrix_of_pairs(size: int, first: np.ndarray, second: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Symmetric (size, size) float32 distances from the finite pairs; all others are infinite."""
    matrix = np.full((size, size), np.inf, dtype=np.float32)
    matrix[first, second] = distance
    matrix[second, first] = distance
    np.fill_diagonal(matrix, 0)
    return matrix


def finite_distances(distances: np.ndarray) -> coo_array:
    """The finite distances above the diagonal of an (n, n) matrix; what is absent is infinitely far."""
    row, column = np.nonzero(np.isfinite(np.triu(distances, 1)) & np.triu(np.ones_like(distances, dtype=bool), 1))
    return coo_array((distances[row, column].astype(np.float64), (row, column)), shape=distances.shape)


def filtration_limit(distances: np.ndarray, quantile: float) -> float:
    """The given quantile of the finite distances between different points; NaN if there is none."""
    finite = finite_distances(distances).data
    return float(np.quantile(finite, quantile)) if len(finite) else float("nan")


def dendrogram(distances: np.ndarray, quantile: float = 1.0) -> Dendrogram:
    """Single linkage of an (n, n) distance matrix with infinities, stopped at a quantile of its finite distances.

    Points that no finite distance joins stay apart. Of equal distances, the one with the lower indices merges first.
    """
    points = len(distances)
    limit = filtration_limit(distances, quantile)
    tree = minimum_spanning_tree(finite_distances(distances)).tocoo()
    order = np.lexsort((tree.col, tree.row, tree.data))
    root = list(range(points))  # union-find over points
    node = list(range(points))  # the node that a root's component is now
    children, birth = [], []

    def find(point: int) -> int:
        while root[point] != point:
            root[point] = root[root[point]]
            point = root[point]
        return point

    for edge in order:
        if tree.data[edge] > limit:
            break
        left, right = find(int(tree.row[edge])), find(int(tree.col[edge]))
        children.append((node[left], node[right]))
        birth.append(tree.data[edge])
        root[right] = left
        node[left] = points + len(birth) - 1
    joined = np.array(children, dtype=int).reshape(-1, 2)
    death = np.full(len(birth), limit)
    for merge, pair in enumerate(joined):
        inner = pair[pair >= points] - points
        death[inner] = birth[merge]
    return Dendrogram(points, joined, np.array(birth, dtype=float), death, limit)
