"""What the stages of candidate components share: distances in, a table of groups out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dkn.dendrogram import matrix_of_pairs
from dkn.tables import CANDIDATES


def candidates_table(groups: Mapping[str, Sequence[Sequence[np.ndarray]]]) -> pd.DataFrame:
    """Rows from fact -> one list of groups (places) per repeat."""
    rows = [
        {"fact_id": fact_id, "repeat": repeat, "component": number, "places": places}
        for fact_id, repeats in groups.items()
        for repeat, found in enumerate(repeats)
        for number, places in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names).astype({"birth": float, "death": float, "persistence": float})


def distance_matrices(neurons: pd.DataFrame, distances: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every fact's distances, (n, n) float32, in the order of its neurons' places."""
    pairs = dict(list(distances.groupby("fact_id")))
    none = distances.iloc[:0]
    found = {}
    for fact_id, size in neurons.groupby("fact_id").size().items():
        frame = pairs.get(fact_id, none)
        columns = (frame[name].to_numpy() for name in ("first", "second", "distance"))
        found[str(fact_id)] = matrix_of_pairs(int(size), *columns)
    return found
