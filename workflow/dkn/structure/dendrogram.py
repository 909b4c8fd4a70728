"""The single-linkage dendrogram of a distance matrix (docs/method.md).

Dimension 0 of a Vietoris-Rips filtration and single linkage are the same thing seen twice: components merge at the
edges of a minimum spanning tree. ``dkn.structure.persistence_diagrams`` gives the diagram, the dendrogram says which
components merged.

Merges are binary, so k components that join at one distance make k - 1 merges of which only the last lives on. Which
merges those without a lifetime are depends on the order of the points; all others, and how many there are, do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
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

    @property
    def sizes(self) -> np.ndarray:
        """(merges,) how many points each component has."""
        sizes = [1] * self.points
        for left, right in self.children.tolist():
            sizes.append(sizes[left] + sizes[right])
        return np.array(sizes[self.points :], dtype=int)

    def members(self, merge: int) -> np.ndarray:
        """The points in the component of one merge, ascending; the work is in proportion to their number."""
        points, below = [], [self.points + merge]
        while below:
            node = below.pop()
            if node < self.points:
                points.append(node)
            else:
                below += self.children[node - self.points].tolist()
        return np.sort(np.array(points, dtype=int))


def matrix_of_pairs(size: int, pairs: pd.DataFrame) -> np.ndarray:
    """Symmetric (size, size) float32 distances from the finite pairs; all others are infinite.

    Args:
        pairs: columns first, second and distance, as in ``schemas.DISTANCES``.
    """
    matrix = np.full((size, size), np.inf, dtype=np.float32)
    first, second, distance = (pairs[name].to_numpy() for name in ("first", "second", "distance"))
    matrix[first, second] = distance
    matrix[second, first] = distance
    np.fill_diagonal(matrix, 0)
    return matrix


def finite_distances(distances: np.ndarray) -> coo_array:
    """The finite distances above the diagonal of an (n, n) matrix; what is absent is infinitely far."""
    row, column = np.nonzero(np.triu(np.isfinite(distances), 1))
    return coo_array((distances[row, column].astype(np.float64), (row, column)), shape=distances.shape)


def filtration(distances: np.ndarray, quantile: float) -> tuple[coo_array, float]:
    """The edges of the filtration: finite distances up to their given quantile, and that limit (NaN without any)."""
    finite = finite_distances(distances)
    if not finite.nnz:
        return finite, float("nan")
    limit = float(np.quantile(finite.data, quantile))
    near = finite.data <= limit
    return coo_array((finite.data[near], tuple(index[near] for index in finite.coords)), shape=finite.shape), limit


def dendrogram(distances: np.ndarray, quantile: float = 1.0) -> Dendrogram:
    """Single linkage of an (n, n) distance matrix with infinities, stopped at a quantile of its finite distances.

    Points that no finite distance joins stay apart.
    """
    points = len(distances)
    edges, limit = filtration(distances, quantile)
    tree = minimum_spanning_tree(edges).tocoo()
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
