"""The stage that draws the groups of the tested controls: its tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dkn.commands.candidates_random import main as make_random
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import candidates_table
from dkn.study.names import SHUFFLED, TESTED_CONTROL, TESTED_CONTROLS


@pytest.fixture
def drawn(stored_neurons: Path) -> dict[str, pd.DataFrame]:
    """The groups of every tested control, which are the same where they are drawn again."""
    ntc = candidates_table({"x": [[np.array([0, 1]), np.array([2, 3, 4])]]})
    write_table(stored_neurons / "ntc.parquet", ntc, CANDIDATES, {})
    tables = []
    for name in ("one", "again"):
        files = [stored_neurons / f"{name}-{control}.parquet" for control in TESTED_CONTROLS]
        inputs = stored_neurons / "neurons.parquet", stored_neurons / "ntc.parquet"
        make_random(*inputs, list(TESTED_CONTROLS), 20, 0, files)
        tables.append([read_table(file, CANDIDATES) for file in files])
    for first, second in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(first, second)
    return dict(zip(TESTED_CONTROLS, tables[0], strict=True))


@pytest.mark.parametrize("control", TESTED_CONTROLS)
def test_the_tested_controls_groups_have_ntcs_sizes(drawn: dict[str, pd.DataFrame], control: str) -> None:
    found = drawn[control]
    assert set(found["fact_id"]) == {"x"}
    for repeat, frame in found.groupby("repeat"):
        assert [len(places) for places in frame["places"]] == [2, 3], repeat
        assert sorted(np.concatenate(list(frame["places"]))) == [0, 1, 2, 3, 4]


def test_random_groups_are_of_any_layer_and_shuffled_ones_of_ntcs(
    stored_neurons: Path, drawn: dict[str, pd.DataFrame]
) -> None:
    neurons = read_table(stored_neurons / "neurons.parquet", KNOWLEDGE_NEURONS)
    layer = neurons[neurons["fact_id"] == "x"].set_index("place")["layer"]
    counts = {
        control: {tuple(sorted(layer[places])) for places in table.loc[table["component"] == 1, "places"]}
        for control, table in drawn.items()
    }
    assert counts[SHUFFLED] == {tuple(sorted(layer[[2, 3, 4]]))}
    assert len(counts[TESTED_CONTROL]) > 1
    assert len({tuple(places) for places in drawn[TESTED_CONTROL]["places"]}) > 5
