"""Conversions between stored tables and what the groupings work on.

Stored distances become matrices, and groups of a fact's knowledge neurons become the table of candidate components. A
neuron is named by its *place*, its index among the fact's knowledge neurons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dkn.storage.parts import read_distinct, whole_facts
from dkn.storage.schemas import CANDIDATES, DIAGRAMS, DISTANCES
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
    pieces = [
        (fact_id, dimension, points)
        for fact_id, diagrams_of_fact in diagrams.items()
        for dimension, points in enumerate(diagrams_of_fact)
    ]
    if not pieces:
        return pd.DataFrame(columns=DIAGRAMS.names)
    sizes = [len(points) for _, _, points in pieces]
    birth, death = np.concatenate([points for _, _, points in pieces]).T
    fact_ids = pd.Series([fact_id for fact_id, _, _ in pieces], dtype="str").repeat(sizes).array
    dimensions = np.repeat([dimension for _, dimension, _ in pieces], sizes)
    return pd.DataFrame({"fact_id": fact_ids, "dimension": dimensions, "birth": birth, "death": death})


def distance_matrices(neurons: pd.DataFrame, distances: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every fact's id and its (n, n) float32 matrix of distances, in the order of its neurons' places.

    Args:
        neurons: the column fact_id of ``schemas.KNOWLEDGE_NEURONS``, all rows.
        distances: columns as in ``schemas.DISTANCES``; a pair without a row is infinitely far apart.
    """
    yield from matrices_of_parts(neurons, [distances], set(distances["fact_id"]))


def matrices_of_parts(
    neurons: pd.DataFrame, parts: Iterable[pd.DataFrame], linked: Collection[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the same where the distances come in parts, of which few are in memory where they are sorted by fact.

    Args:
        neurons: as ``distance_matrices`` takes it.
        parts: the distances, in parts that hold all rows of their facts.
        linked: the facts that have distances.
    """
    coming, pairs = iter(parts), dict[str, pd.DataFrame]()
    no_pairs = DISTANCES.empty_table().to_pandas()
    for fact_id, size in neurons.groupby("fact_id").size().items():
        while fact_id in linked and fact_id not in pairs:
            pairs.update(list(next(coming).groupby("fact_id")))
        yield str(fact_id), matrix_of_pairs(int(size), pairs.pop(str(fact_id), no_pairs))


def stored_matrices(neurons: pd.DataFrame, distances: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the same from the file of the distances, of which only a part is in memory at a time.

    Args:
        neurons: as ``distance_matrices`` takes it.
        distances: a table of ``schemas.DISTANCES``.
    Raises:
        UserError: the file is no such table.
    """
    linked = set(read_distinct(distances, DISTANCES, ["fact_id"])["fact_id"])
    yield from matrices_of_parts(neurons, whole_facts(distances, DISTANCES), linked)
