"""From stored distances to matrices, and from groups of neurons to the table of candidate components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from dkn.storage.schemas import CANDIDATES, DIAGRAMS
from dkn.structure.dendrogram import matrix_of_pairs
from dkn.structure.ntc import Component


def candidates_table(groups: Mapping[str, Sequence[Sequence[np.ndarray]]]) -> pd.DataFrame:
    """Rows from fact -> one list of groups (places) per repeat."""
    rows = [
        {"fact_id": fact_id, "repeat": repeat, "component": number, "places": places}
        for fact_id, repeats in groups.items()
        for repeat, found in enumerate(repeats)
        for number, places in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names).astype({"birth": float, "death": float, "persistence": float})


def components_table(components: Mapping[str, Sequence[Component]]) -> pd.DataFrame:
    """Rows of ``schemas.CANDIDATES`` from each fact's components by NTC, which have a birth and a death."""
    rows = [
        {"fact_id": fact_id, "repeat": 0, "component": number, "places": component.members, **vars(component)}
        for fact_id, found in components.items()
        for number, component in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names)


def diagrams_table(diagrams: Mapping[str, Sequence[np.ndarray]]) -> pd.DataFrame:
    """Rows of ``schemas.DIAGRAMS`` from each fact's diagrams by dimension, each (pairs, 2) of births and deaths."""
    parts = [
        pd.DataFrame(points, columns=["birth", "death"]).assign(fact_id=fact_id, dimension=dimension)
        for fact_id, found in diagrams.items()
        for dimension, points in enumerate(found)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=DIAGRAMS.names)


def distance_matrices(neurons: pd.DataFrame, distances: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Every fact with its distances, (n, n) float32, in the order of its neurons' places; one at a time."""
    pairs = dict(list(distances.groupby("fact_id")))
    none = distances.iloc[:0]
    for fact_id, size in neurons.groupby("fact_id").size().items():
        yield str(fact_id), matrix_of_pairs(int(size), pairs.get(fact_id, none))
