"""The funnel: facts left at every step, by hand."""

import numpy as np
import pandas as pd
import pytest

from dkn.summaries.funnel import STEPS, funnel, with_adjacent_layers


def components(rows: list[tuple[str, int, bool]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["fact_id", "repeat", "kept"])


KNOWN = pd.DataFrame(
    {
        "fact_id": list("abcdefgh"),
        "answered": [True] * 7 + [False],
        "answered_unseen": [True] * 5 + [False] * 3,
        "known": [True] * 6 + [False] * 2,
    }
)
NEURONS = pd.DataFrame(
    [("a", 0), ("a", 1), ("b", 3), ("b", 4), ("c", 0), ("c", 2), ("d", 1), ("e", 2), ("e", 3), ("f", 5), ("f", 5)],
    columns=["fact_id", "layer"],
)
COMPLETENESS = pd.DataFrame(
    [("a", True), ("a", True), ("b", True), ("b", False), ("c", True), ("d", False)], columns=["fact_id", "converged"]
)
DISTANCES = pd.DataFrame({"fact_id": ["a", "a", "b"]})


def test_every_step_by_hand() -> None:
    tested = components([("a", 0, True), ("a", 0, True), ("b", 0, False), ("b", 0, True), ("e", 0, False)])
    counts = funnel(KNOWN, COMPLETENESS, NEURONS, DISTANCES, tested)
    assert tuple(counts) == STEPS
    assert list(counts.values()) == [8, 7, 5, 6, 2, 6, 3, 2, 3, 2, 2, 1]


def test_of_random_partitions_the_first_counts() -> None:
    tested = components([("a", 0, True), ("a", 0, False), ("a", 1, True), ("a", 1, True), ("b", 1, True)])
    counts = funnel(KNOWN, COMPLETENESS, NEURONS, DISTANCES, tested)
    assert [counts[step] for step in STEPS[8:]] == [1, 1, 1, 0]


def test_nothing_left_is_zero() -> None:
    counts = funnel(KNOWN, COMPLETENESS.iloc[:0], NEURONS.iloc[:0], DISTANCES.iloc[:0], components([]))
    assert list(counts.values()) == [8, 7, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_adjacent_layers_against_all_pairs(seed: int) -> None:
    draw = np.random.default_rng(seed)
    neurons = pd.DataFrame({"fact_id": draw.integers(0, 20, 60).astype(str), "layer": draw.integers(0, 12, 60)})
    expected = sum(
        any(layer + 1 in set(frame["layer"]) for layer in frame["layer"]) for _, frame in neurons.groupby("fact_id")
    )
    assert with_adjacent_layers(neurons) == expected
