"""From stored distances to matrices, and from groups of neurons to tables of candidates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dkn.storage.schemas import CANDIDATES, DIAGRAMS, DISTANCES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import (
    candidates_table,
    components_table,
    diagrams_table,
    distance_matrices,
    matrices_of_parts,
)
from dkn.structure.ntc import Component

INFINITE = float("inf")


def stored(neurons: dict[str, int], pairs: list[tuple[str, int, int, float]]) -> Iterator[tuple[str, np.ndarray]]:
    """The matrices of facts with so many neurons and these finite distances, as they are stored."""
    rows = [(fact, place, 0, place, 1.0) for fact, count in neurons.items() for place in range(count)]
    tables = pd.DataFrame(rows, columns=KNOWLEDGE_NEURONS.names), pd.DataFrame(pairs, columns=DISTANCES.names)
    return distance_matrices(*tables)


def test_every_fact_with_neurons_has_its_own_symmetric_matrix() -> None:
    pairs = [("b", 0, 2, 4.0), ("a", 0, 1, 0.5), ("b", 1, 2, 3.0)]
    found = dict(stored({"b": 3, "a": 2, "alone": 1, "apart": 2}, pairs))
    assert list(found) == ["a", "alone", "apart", "b"]
    assert found["a"].tolist() == [[0, 0.5], [0.5, 0]]
    assert found["b"].tolist() == [[0, INFINITE, 4], [INFINITE, 0, 3], [4, 3, 0]]
    assert found["alone"].tolist() == [[0]]
    assert found["apart"].tolist() == [[0, INFINITE], [INFINITE, 0]]
    assert all(matrix.dtype == np.float32 for matrix in found.values())


def test_matrices_come_one_at_a_time() -> None:
    """All of a study's together would not fit into memory."""
    found = stored({"a": 2, "b": 3}, [("a", 0, 1, 0.5)])
    assert iter(found) is found
    assert next(found)[0] == "a"
    assert next(found)[1].shape == (3, 3)
    assert next(found, None) is None
    assert list(stored({}, [])) == []


def test_no_groups_are_an_empty_table() -> None:
    assert list(candidates_table({}).columns) == CANDIDATES.names


def test_groups_are_numbered_within_their_repeat() -> None:
    first, second, other = np.array([0, 1]), np.array([2, 3]), np.array([1, 4])
    table = candidates_table({"x": [[first, second], [other]], "none": [[]]})
    assert list(table.columns) == CANDIDATES.names
    assert table[["fact_id", "repeat", "component"]].values.tolist() == [["x", 0, 0], ["x", 0, 1], ["x", 1, 0]]
    assert [places.tolist() for places in table["places"]] == [[0, 1], [2, 3], [1, 4]]
    assert table[["birth", "death", "persistence"]].isna().all(axis=None)
    assert table.dtypes[["birth", "death", "persistence"]].map(str).tolist() == ["float64"] * 3


def test_components_of_ntc_keep_their_lifetimes() -> None:
    one, other = Component(np.array([0, 2]), 1.0, 3.0, 0.5), Component(np.array([1, 3]), 2.0, 4.0, 0.25)
    table = components_table({"x": [one, other], "none": [], "y": [other]})
    assert list(table.columns) == CANDIDATES.names
    assert table[["fact_id", "repeat", "component"]].values.tolist() == [["x", 0, 0], ["x", 0, 1], ["y", 0, 0]]
    assert [places.tolist() for places in table["places"]] == [[0, 2], [1, 3], [1, 3]]
    lifetimes = ["birth", "death", "persistence"]
    assert table[lifetimes].values.tolist() == [[1.0, 3.0, 0.5], [2.0, 4.0, 0.25], [2.0, 4.0, 0.25]]
    assert list(components_table({"none": []}).columns) == CANDIDATES.names


def test_diagrams_are_a_row_per_point_with_its_dimension() -> None:
    points, loops = np.array([[0.0, 1.0], [0.0, INFINITE]]), np.array([[1.0, 2.0]])
    table = diagrams_table({"x": [points, loops], "y": [points[:1], np.zeros((0, 2))]})
    assert sorted(table.columns) == sorted(DIAGRAMS.names)
    assert table[["fact_id", "dimension", "birth", "death"]].values.tolist() == [
        ["x", 0, 0.0, 1.0],
        ["x", 0, 0.0, INFINITE],
        ["x", 1, 1.0, 2.0],
        ["y", 0, 0.0, 1.0],
    ]
    assert list(diagrams_table({}).columns) == DIAGRAMS.names


def test_distances_in_parts_are_taken_as_they_are_needed() -> None:
    facts, taken = [f"f{number}" for number in range(9)], list[int]()
    neurons = pd.DataFrame({"fact_id": np.repeat(facts, 2)})
    distances = pd.DataFrame({"fact_id": facts, "first": 0, "second": 1, "distance": np.arange(1.0, 10)})
    distances = distances[distances["fact_id"] != "f4"]

    def parts() -> Iterator[pd.DataFrame]:
        for number in range(4):
            taken.append(number)
            yield distances.iloc[2 * number : 2 * number + 2]

    found = []
    for fact_id, matrix in matrices_of_parts(neurons, parts(), set(distances["fact_id"])):
        found.append((fact_id, matrix[0, 1], len(taken)))
    expected = [1, 1, 2, 2, 2, 3, 3, 4, 4]  # f4 has no distance and asks for none
    assert found == [(fact, np.inf if fact == "f4" else 1 + int(fact[1:]), expected[int(fact[1:])]) for fact in facts]
    whole = dict(distance_matrices(neurons, distances))
    assert {fact: distance for fact, distance, _ in found} == {fact: whole[fact][0, 1] for fact in facts}
