"""Persistence diagrams of a distance matrix, by ripser (docs/method.md)."""

from __future__ import annotations

import numpy as np
from ripser import ripser

from dkn.structure.dendrogram import filtration


def persistence_diagrams(distances: np.ndarray, dimension: int = 0, quantile: float = 1.0) -> list[np.ndarray]:
    """Ripser's diagrams for dimensions 0 … ``dimension``, each (pairs, 2) of births and deaths.

    The filtration stops at a quantile of the finite distances; the death of what lives then is infinite.
    """
    edges, _ = filtration(distances, quantile)
    if not edges.nnz:
        empty = np.zeros((0, 2))
        return [np.array([[0.0, np.inf]] * len(distances)).reshape(-1, 2), *[empty] * dimension]
    return ripser(edges, maxdim=dimension, distance_matrix=True)["dgms"]
