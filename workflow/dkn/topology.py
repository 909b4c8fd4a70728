"""Persistence diagrams of a distance matrix, by ripser (docs/method.md)."""

from __future__ import annotations

import numpy as np
from ripser import ripser

from dkn.dendrogram import finite_distances


def persistence_diagrams(distances: np.ndarray, dimension: int = 0, limit: float = np.inf) -> list[np.ndarray]:
    """Ripser's diagrams for dimensions 0 … ``dimension``, each (pairs, 2) of births and deaths, inf for never."""
    sparse = finite_distances(distances)
    if not sparse.nnz:
        empty = np.zeros((0, 2))
        return [np.array([[0.0, np.inf]] * len(distances)).reshape(-1, 2), *[empty] * dimension]
    return ripser(sparse, maxdim=dimension, distance_matrix=True, thresh=limit)["dgms"]
