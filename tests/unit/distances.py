"""Distances between points: made by hand, or at random with some of them infinite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from dkn.structure.dendrogram import matrix_of_pairs


def distances_of(points: int, pairs: Sequence[tuple[int, int, float]] = ()) -> np.ndarray:
    """The (points, points) distances of pairs (first, second, distance); of all others they are infinite."""
    first, second, distance = zip(*pairs, strict=True) if pairs else ((), (), ())
    frame = pd.DataFrame({"first": np.array(first, dtype=int), "second": np.array(second, dtype=int)})
    return matrix_of_pairs(points, frame.assign(distance=np.array(distance, dtype=float)))


def random_distances(points: int, seed: int, finite: float = 1.0, rounded: bool = False) -> np.ndarray:
    """Symmetric float32 distances; a share of them infinite, or rounded so that many are equal."""
    draw = np.random.default_rng(seed)
    upper = draw.uniform(0.5, 10, (points, points))
    if rounded:
        upper = np.ceil(upper / 3)
    upper[draw.random((points, points)) > finite] = np.inf
    matrix = np.triu(upper, 1).astype(np.float32)
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0)
    return matrix


CASES = st.tuples(st.integers(2, 14), st.integers(0, 2**16), st.sampled_from([0.2, 0.6, 1.0]), st.booleans())
