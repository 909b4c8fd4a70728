"""The stages that make candidates of other groupings and of the tested control: their tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dkn.commands.candidates_groupings import main as make_groupings
from dkn.commands.candidates_random import main as make_random
from dkn.errors import UserError
from dkn.experiments.degeneracy import DegeneracySettings, all_groups
from dkn.flags import one_output_each
from dkn.neurons.sets import NeuronSet
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import CANDIDATES, DISTANCES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import candidates_table
from dkn.study.names import CONTROL


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two facts: one with two linked pairs and a lone neuron, one with a single knowledge neuron."""
    rows = [("x", place, place % 2, place, 1.0) for place in range(5)] + [("y", 0, 0, 0, 1.0)]
    neurons = pd.DataFrame(rows, columns=KNOWLEDGE_NEURONS.names)
    distances = pd.DataFrame([("x", 0, 1, 1.0), ("x", 2, 3, 2.0)], columns=DISTANCES.names)
    write_table(tmp_path / "neurons.parquet", neurons, KNOWLEDGE_NEURONS, {})
    write_table(tmp_path / "distances.parquet", distances, DISTANCES, {})
    return tmp_path


def test_groupings_are_stored_without_births(tables: Path) -> None:
    methods = ["hierarchical", "kmeans", "hdbscan"]
    outputs = [tables / f"{method}.parquet" for method in methods]
    make_groupings(
        tables / "neurons.parquet", tables / "distances.parquet", methods, outputs, 2, 2, 2, 8, 0.9, 2, seed=0
    )
    for path in outputs:
        found = read_table(path, CANDIDATES)
        assert [places.tolist() for places in found["places"]] == [[0, 1], [2, 3]]
        assert list(found["component"]) == [0, 1]
        assert set(found["repeat"]) == {0}
        assert found[["birth", "death", "persistence"]].isna().all(axis=None)


def test_the_tested_controls_groups_have_ntcs_sizes(tables: Path) -> None:
    ntc = candidates_table({"x": [[np.array([0, 1]), np.array([2, 3, 4])]]})
    write_table(tables / "ntc.parquet", ntc, CANDIDATES, {})
    for name in ("one", "again"):
        make_random(tables / "neurons.parquet", tables / "ntc.parquet", 20, 0, tables / f"{name}.parquet")
    found = read_table(tables / "one.parquet", CANDIDATES)
    pd.testing.assert_frame_equal(found, read_table(tables / "again.parquet", CANDIDATES))
    assert set(found["fact_id"]) == {"x"}
    for repeat, frame in found.groupby("repeat"):
        assert [len(places) for places in frame["places"]] == [2, 3], repeat
        assert sorted(np.concatenate(list(frame["places"]))) == [0, 1, 2, 3, 4]
    assert len({tuple(places) for places in found["places"]}) > 5


def test_the_tested_control_is_judged_by_the_same_test_and_not_controlled_again() -> None:
    components = candidates_table({"x": [[np.array([0, 1]), np.array([2, 3])]] * 3})
    components["kept"] = [True, True, True, False, True, True]
    members = {"x": NeuronSet(np.zeros(6, dtype=int), np.arange(6))}
    settings = DegeneracySettings(max_subsets=14, partitions=2, seed=0)
    groups = [group for _, found in all_groups(components, members, "random", settings) for group in found]
    assert [(group.grouping, group.selection, group.repeat) for group in groups] == [
        ("random", "bdc", 0),
        ("random", "bdc", 2),
    ]
    once = components[components["repeat"] == 1]
    groups = [group for _, found in all_groups(once, members, "ntc", settings) for group in found]
    assert [(group.grouping, group.selection) for group in groups] == [("ntc", "candidate")] + [
        (CONTROL, "candidate")
    ] * 2


def test_no_groups_are_an_empty_table() -> None:
    assert list(candidates_table({}).columns) == CANDIDATES.names


def test_outputs_that_do_not_match_are_one_line() -> None:
    with pytest.raises(UserError, match="--method is given 2 times, --output 1 times"):
        one_output_each([Path("a")], method=["dbscan", "kmeans"])
