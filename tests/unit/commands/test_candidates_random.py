"""The stage that draws the tested control's groups: its table."""

from pathlib import Path

import numpy as np
import pandas as pd

from dkn.commands.candidates_random import main as make_random
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import CANDIDATES
from dkn.structure.candidates import candidates_table


def test_the_tested_controls_groups_have_ntcs_sizes(stored_neurons: Path) -> None:
    ntc = candidates_table({"x": [[np.array([0, 1]), np.array([2, 3, 4])]]})
    write_table(stored_neurons / "ntc.parquet", ntc, CANDIDATES, {})
    for name in ("one", "again"):
        make_random(
            stored_neurons / "neurons.parquet",
            stored_neurons / "ntc.parquet",
            20,
            0,
            stored_neurons / f"{name}.parquet",
        )
    found = read_table(stored_neurons / "one.parquet", CANDIDATES)
    pd.testing.assert_frame_equal(found, read_table(stored_neurons / "again.parquet", CANDIDATES))
    assert set(found["fact_id"]) == {"x"}
    for repeat, frame in found.groupby("repeat"):
        assert [len(places) for places in frame["places"]] == [2, 3], repeat
        assert sorted(np.concatenate(list(frame["places"]))) == [0, 1, 2, 3, 4]
    assert len({tuple(places) for places in found["places"]}) > 5
