"""Persistence diagrams of a distance matrix, computed by ripser.

A *persistence diagram* has the distances at which the features of one dimension of a Vietoris-Rips filtration are born
and die: components in dimension 0, loops in dimension 1.
"""

from __future__ import annotations

import numpy as np
from ripser import ripser

from dkn.structure.dendrogram import filtration


def persistence_diagrams(distances: np.ndarray, dimension: int = 0, quantile: float = 1.0) -> list[np.ndarray]:
    """Return the diagrams of dimensions 0 … ``dimension``, each (pairs, 2), of births and deaths.

    Args:
        distances: (n, n), symmetric; infinite entries are allowed.
        quantile: the quantile of the finite distances at which the filtration stops, from 0 to 1. The death of a
            feature that still lives then is infinite.
    """
    edges, _ = filtration(distances, quantile)
    if not edges.nnz:
        empty = np.zeros((0, 2))
        return [np.array([[0.0, np.inf]] * len(distances)).reshape(-1, 2), *[empty] * dimension]
    return ripser(edges, maxdim=dimension, distance_matrix=True)["dgms"]
