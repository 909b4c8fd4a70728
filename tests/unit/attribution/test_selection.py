"""Knowledge neurons, on tables small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.attribution.selection import knowledge_neurons, knowledge_neurons_of_parts
from dkn.errors import UserError


def table(*rows: tuple[str, int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["fact_id", "layer", "neuron", "score"])


SCORES = table(
    ("b", 2, 0, 1.0),
    ("b", 0, 9, 0.30),  # exactly at the threshold of 0.3: out
    ("b", 0, 4, 0.31),
    ("a", 1, 7, 0.5),
    ("a", 1, 2, 2.0),
    ("a", 0, 8, 0.7),
    ("a", 0, 3, 0.61),
    ("a", 2, 1, 0.59),  # under 0.3 of 2.0
    ("c", 0, 0, 1e-9),
)


def test_threshold_is_a_fraction_of_each_facts_largest() -> None:
    """Strictly above the fraction; sorted by layer and neuron; places count from zero within a fact."""
    found, capped = knowledge_neurons(SCORES, 0.3, None)
    assert list(found.columns) == ["fact_id", "place", "layer", "neuron", "score"]
    assert found.to_numpy().tolist() == [
        ["a", 0, 0, 3, 0.61],
        ["a", 1, 0, 8, 0.7],
        ["a", 2, 1, 2, 2.0],
        ["b", 0, 0, 4, 0.31],
        ["b", 1, 2, 0, 1.0],
        ["c", 0, 0, 0, 1e-9],
    ]
    assert capped == []


@pytest.mark.parametrize(
    ("cap", "kept", "cut"),
    [
        (1, {"a": [(1, 2)], "b": [(2, 0)], "c": [(0, 0)]}, ["a", "b"]),
        (2, {"a": [(0, 8), (1, 2)], "b": [(0, 4), (2, 0)], "c": [(0, 0)]}, ["a"]),
        (3, {"a": [(0, 3), (0, 8), (1, 2)], "b": [(0, 4), (2, 0)], "c": [(0, 0)]}, []),
    ],
)
def test_cap_keeps_the_largest(cap: int, kept: dict[str, list[tuple[int, int]]], cut: list[str]) -> None:
    """The largest scores survive the cap; cut facts are named; a fact with exactly the cap is not cut."""
    found, capped = knowledge_neurons(SCORES, 0.3, cap)
    for fact_id, pairs in kept.items():
        chosen = found[found["fact_id"] == fact_id]
        assert list(zip(chosen["layer"], chosen["neuron"], strict=True)) == pairs
        assert chosen["place"].tolist() == list(range(len(pairs)))
    assert len(found) == sum(map(len, kept.values()))
    assert capped == cut


def test_cap_holds_among_equal_scores() -> None:
    """Ties do not let more neurons through."""
    found, capped = knowledge_neurons(table(*(("a", 0, place, 1.0) for place in range(5))), 0.3, 3)
    assert (len(found), capped) == (3, ["a"])


def test_input_is_left_alone_and_may_be_empty() -> None:
    """The caller's table is not changed; no scores give no neurons, with the same columns."""
    before = SCORES.copy(deep=True)
    knowledge_neurons(SCORES, 0.3, 1)
    pd.testing.assert_frame_equal(SCORES, before)
    found, capped = knowledge_neurons(SCORES.iloc[:0], 0.3, 2)
    assert list(found.columns) == ["fact_id", "place", "layer", "neuron", "score"]
    assert (len(found), capped) == (0, [])


def test_a_neuron_with_two_scores_is_one_line() -> None:
    with pytest.raises(UserError, match="fact a: neuron 3 of layer 1 has two scores"):
        knowledge_neurons(table(("a", 1, 3, 0.5), ("b", 1, 3, 0.5), ("a", 1, 3, 0.5)), 0.3, None)


def test_scores_in_parts_give_the_same_neurons() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"fact_id": np.repeat(["d", "b", "a", "c"], 20), "layer": 0, "neuron": np.tile(range(20), 4)})
    frame = frame.assign(score=draw.random(80))
    parts = [frame.iloc[:40], frame.iloc[40:]]
    neurons, capped = knowledge_neurons_of_parts(parts, 0.3, 9)
    expected, expected_capped = knowledge_neurons(frame, 0.3, 9)
    pd.testing.assert_frame_equal(neurons, expected)
    assert capped == expected_capped != []
    with pytest.raises(UserError, match="is a shard given twice"):
        knowledge_neurons_of_parts([*parts, parts[0]], 0.3, None)
