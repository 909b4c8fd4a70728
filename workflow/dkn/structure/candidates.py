"""Conversions between stored tables and what the groupings work on.

Stored distances become matrices, and groups of a fact's knowledge neurons become the table of candidate components. A
neuron is named by its *place*, its index among the fact's knowledge neurons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from dkn.storage.schemas import CANDIDATES, DIAGRAMS
from dkn.structure.dendrogram import matrix_of_pairs
from dkn.structure.ntc import Component


def candidates_table(groups: Mapping[str, Sequence[Sequence[np.ndarray]]]) -> pd.DataFrame:
    """Return the rows of ``schemas.CANDIDATES`` for groups that have no birth, death or persistence.

    Args:
        groups: for each fact id one list of groups per repeat of the grouping; a group is an array of places.
    """
    rows = [
        {"fact_id": fact_id, "repeat": repeat, "component": number, "places": places}
        for fact_id, repeats in groups.items()
        for repeat, groups_of_repeat in enumerate(repeats)
        for number, places in enumerate(groups_of_repeat)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names).astype({"birth": float, "death": float, "persistence": float})


def components_table(components: Mapping[str, Sequence[Component]]) -> pd.DataFrame:
    """Return the rows of ``schemas.CANDIDATES`` for each fact's components by NTC, which have a birth and a death."""
    rows = [
        {"fact_id": fact_id, "repeat": 0, "component": number, "places": component.members, **vars(component)}
        for fact_id, components_of_fact in components.items()
        for number, component in enumerate(components_of_fact)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names)


def diagrams_table(diagrams: Mapping[str, Sequence[np.ndarray]]) -> pd.DataFrame:
    """Return the rows of ``schemas.DIAGRAMS``.

    Args:
        diagrams: for each fact id one diagram per dimension, from 0; each is (pairs, 2), of births and deaths.
    """
    tables = [
        pd.DataFrame(points, columns=["birth", "death"]).assign(fact_id=fact_id, dimension=dimension)
        for fact_id, diagrams_of_fact in diagrams.items()
        for dimension, points in enumerate(diagrams_of_fact)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=DIAGRAMS.names)


def distance_matrices(neurons: pd.DataFrame, distances: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every fact's id and its (n, n) float32 matrix of distances, in the order of its neurons' places.

    Args:
        neurons: columns as in ``schemas.KNOWLEDGE_NEURONS``.
        distances: columns as in ``schemas.DISTANCES``; a pair without a row is infinitely far apart.
    """
    pairs = dict(list(distances.groupby("fact_id")))
    no_pairs = distances.iloc[:0]
    for fact_id, size in neurons.groupby("fact_id").size().items():
        yield str(fact_id), matrix_of_pairs(int(size), pairs.get(fact_id, no_pairs))
