"""Figure kn_graph: which pairs of neurons it draws, and to which component they belong."""

import numpy as np
import pandas as pd

from dkn.figures import kn_graph, persistence
from dkn.figures.example import Example
from tests.unit.example_fact import LOOPS, drawn, made_example


def test_pairs_of_adjacent_layers_belong_to_the_components_they_merge() -> None:
    """The limit is 7.5: 1-2 is too far, 0-4 spans two layers, 0-3 joins two components."""
    example = made_example()
    assert 7 < example.tree.limit < 8
    found = kn_graph.edges(example)
    assert found[["first", "second", "component"]].values.tolist() == [[0, 2, 0], [1, 3, 1], [0, 3, -1], [2, 4, -1]]
    nodes = kn_graph.neurons(example).set_index("place")
    assert nodes["kind"].sort_index().tolist() == ["bdc", "candidate", "bdc", "candidate", "other"]
    assert nodes["score"].max() == 1
    assert not nodes.duplicated(["layer", "height"]).any()
    table = kn_graph.table([example])
    assert table["what"].value_counts().to_dict() == {"neuron": 5, "pair": 4}
    drawn(kn_graph.draw([example, example]))


def test_a_component_has_only_the_pairs_it_is_born_with() -> None:
    neurons = pd.DataFrame({"place": range(4), "layer": [0, 0, 1, 1], "neuron": range(4), "score": [1.0] * 4})
    pairs = [(0, 2, 1.0), (1, 2, 2.0), (1, 3, 3.0), (0, 3, 5.0)]
    components = pd.DataFrame({"places": [np.arange(4)], "birth": [3.0], "kept": [True]})
    example = Example("m", "f", neurons, pd.DataFrame(pairs, columns=["first", "second", "distance"]), components, 1.0)
    assert kn_graph.edges(example)["component"].tolist() == [0, 0, 0, -1]


def test_a_fact_without_components_or_distances_is_drawn() -> None:
    example = made_example()
    bare = Example("m", "f", example.neurons, example.distances.iloc[:0], example.components.iloc[:0], 0.2)
    assert kn_graph.edges(bare).empty
    drawn(kn_graph.draw([bare]))
    drawn(persistence.draw([bare], [LOOPS.iloc[:0]]))
