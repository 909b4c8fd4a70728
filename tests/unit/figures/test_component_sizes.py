"""Figure component_sizes: sizes by hand, a model without components, and the caption."""

import numpy as np
import pandas as pd

from dkn.figures import component_sizes
from dkn.statistics.inference import StatisticsSettings
from tests.unit.captions import NUMBERS
from tests.unit.example_fact import drawn

FEW = StatisticsSettings(resamples=100, confidence=0.95, seed=0)


def test_sizes_by_hand() -> None:
    neurons = pd.DataFrame({"fact_id": "f", "place": range(12), "layer": [0, 1, 1, 2, 2, 3, 3, 3, 4, 5, 6, 9]})
    components = pd.DataFrame(
        {
            "fact_id": "f",
            "component": [0, 1, 2],
            "places": [np.array([0, 1]), np.arange(2, 12), np.array([3, 5, 8])],
            "kept": [True, True, False],
        }
    )
    sizes = component_sizes.measured(components, neurons, pd.Series({"f": "someone"}))
    assert sizes[["subject", "kind", "neurons", "layers"]].values.tolist() == [
        ["someone", "bdc", 2, 2],
        ["someone", "bdc", 10, 9],
        ["someone", "failed", 3, 3],
    ]
    table = component_sizes.shares("m", sizes, FEW).set_index(["kind", "quantity", "value"])
    assert table.loc[("bdc", "neurons", 2), "share"] == 0.5
    assert table.loc[("bdc", "neurons", component_sizes.LAST), "share"] == 0.5
    assert table.loc[("failed", "layers", 3), "share"] == 1
    assert table.groupby(["kind", "quantity"])["share"].sum().eq(1).all()
    assert table.loc[("bdc", "layers", 2), ["components", "facts"]].tolist() == [2, 1]
    drawn(component_sizes.draw(table.reset_index(), ["m", "model without components"], 0.95))


def test_a_model_without_components_has_no_shares() -> None:
    empty = pd.DataFrame({"fact_id": [], "component": [], "places": [], "kept": []})
    neurons = pd.DataFrame({"fact_id": ["f"], "place": [0], "layer": [0]})
    sizes = component_sizes.measured(empty, neurons, pd.Series({"f": "someone"}))
    assert component_sizes.shares("m", sizes, FEW).empty


def test_the_caption_states_the_share_of_pairs() -> None:
    sizes = {"model": "m", "kind": "bdc", "quantity": "neurons", "share": 0.4, "components": 77, **NUMBERS}
    frame = pd.DataFrame([{**sizes, "value": 2}, {**sizes, "value": 3, "share": 0.9}, {**sizes, "quantity": "layers"}])
    said = component_sizes.caption(frame.fillna({"value": 4}))
    assert said.count("\n") == 1
    assert "40.0 % (10.0 … 30.0) of the 77 components that passed the functional test have two neurons" in said
