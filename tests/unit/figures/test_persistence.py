"""Figure persistence: every component and loop of the example."""

from dataclasses import replace

import numpy as np

from dkn.figures import persistence
from tests.unit.example_fact import LOOPS, drawn, made_example
from tests.unit.legends import assert_whole


def test_the_table_has_every_component_and_loop() -> None:
    frame = persistence.table([made_example()], [LOOPS])
    components = frame[frame["dimension"] == 0].reset_index(drop=True)
    assert components[["kind", "neurons", "birth"]].values.tolist() == [
        ["bdc", 2, 1],
        ["candidate", 2, 2],
        ["other", 4, 5],
        ["other", 5, 6],
    ]
    assert components["death"].tolist() == [5, 5, 6, made_example().tree.limit]
    assert frame.loc[frame["kind"] == "loop", "death"].tolist() == [6, np.inf]
    drawn(persistence.draw([made_example()], [LOOPS]))
    named = replace(made_example(), model="a-model-with-a-name-of-sixty-letters-as-hubs-have-them-1.1-b")
    assert_whole(persistence.draw([named], [LOOPS]))
    drawn(persistence.draw([made_example()], [LOOPS.iloc[:0]]))
