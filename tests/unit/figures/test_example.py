"""What the figures show, on records made by hand: their tables, and that they can be drawn at all."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dkn.figures import component_sizes, funnel, kn_graph, persistence
from dkn.figures.example import Example, choose_example


def made_example() -> Example:
    """Layers 0 0 1 1 2. Pair {0, 2} is a component that passed, {1, 3} one that failed, 4 is in none."""
    neurons = pd.DataFrame(
        {"place": range(5), "layer": [0, 0, 1, 1, 2], "neuron": [7, 8, 5, 6, 3], "score": [0.2, 0.1, 0.4, 0.1, 0.3]}
    )
    pairs = [(0, 2, 1.0), (1, 3, 2.0), (0, 3, 5.0), (2, 4, 6.0), (0, 4, 7.0), (1, 2, 8.0)]
    components = pd.DataFrame(
        {"places": [np.array([1, 3]), np.array([0, 2])], "birth": [2.0, 1.0], "kept": [False, True]}
    )
    distances = pd.DataFrame(pairs, columns=["first", "second", "distance"])
    return Example("model", "“a … b”", neurons, distances, components, 0.9)


LOOPS = pd.DataFrame({"birth": [3.0, 4.0], "death": [6.0, np.inf]})


def drawn(figure: Figure) -> None:
    figure.canvas.draw()
    assert figure.axes


def test_the_example_has_most_components_where_it_has_fewest() -> None:
    def table(**kept: list[bool]) -> pd.DataFrame:
        return pd.DataFrame(
            [(fact, flag) for fact, flags in kept.items() for flag in flags], columns=["fact_id", "kept"]
        )

    one = table(a=[True] * 7, b=[True] * 3, c=[True] * 3, d=[True] * 9)
    two = table(a=[True, False], b=[True] * 2, c=[True] * 3)
    assert choose_example({"one": one, "two": two}) == "c"
    with pytest.raises(ValueError, match="no fact"):
        choose_example({"one": table(a=[True]), "two": table(b=[True])})


def test_persistence_shows_every_component_and_loop() -> None:
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
    drawn(persistence.draw([made_example()], [LOOPS.iloc[:0]]))


def test_kn_graph_gives_pairs_of_adjacent_layers_to_the_components_they_merge() -> None:
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


def test_kn_graph_gives_a_component_only_the_pairs_it_is_born_with() -> None:
    neurons = pd.DataFrame({"place": range(4), "layer": [0, 0, 1, 1], "neuron": range(4), "score": [1.0] * 4})
    pairs = [(0, 2, 1.0), (1, 2, 2.0), (1, 3, 3.0), (0, 3, 5.0)]
    components = pd.DataFrame({"places": [np.arange(4)], "birth": [3.0], "kept": [True]})
    example = Example("m", "f", neurons, pd.DataFrame(pairs, columns=["first", "second", "distance"]), components, 1.0)
    assert kn_graph.edges(example)["component"].tolist() == [0, 0, 0, -1]


def test_kn_graph_draws_a_fact_without_components_or_distances() -> None:
    example = made_example()
    bare = Example("m", "f", example.neurons, example.distances.iloc[:0], example.components.iloc[:0], 0.2)
    assert kn_graph.edges(bare).empty
    drawn(kn_graph.draw([bare]))
    drawn(persistence.draw([bare], [LOOPS.iloc[:0]]))


def test_component_sizes_by_hand() -> None:
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
    table = component_sizes.shares("m", sizes, 100, 0.95, 0).set_index(["kind", "quantity", "value"])
    assert table.loc[("bdc", "neurons", 2), "share"] == 0.5
    assert table.loc[("bdc", "neurons", component_sizes.LAST), "share"] == 0.5
    assert table.loc[("failed", "layers", 3), "share"] == 1
    assert table.groupby(["kind", "quantity"])["share"].sum().eq(1).all()
    assert table.loc[("bdc", "layers", 2), ["components", "facts"]].tolist() == [2, 1]
    drawn(component_sizes.draw(table.reset_index(), ["m", "model without components"], 0.95))


def test_component_sizes_of_a_model_without_components() -> None:
    empty = pd.DataFrame({"fact_id": [], "component": [], "places": [], "kept": []})
    neurons = pd.DataFrame({"fact_id": ["f"], "place": [0], "layer": [0]})
    sizes = component_sizes.measured(empty, neurons, pd.Series({"f": "someone"}))
    assert component_sizes.shares("m", sizes, 100, 0.95, 0).empty


def test_funnel_orders_its_steps_and_refuses_others() -> None:
    steps = list(funnel.STEPS)
    rows = [(m, g, s, 100 - 10 * steps.index(s)) for m in "ba" for g in ("ntc", "amig") for s in reversed(steps)]
    frame = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    wide = funnel.counts(frame)
    assert wide.index.tolist() == [("b", "ntc"), ("b", "amig"), ("a", "ntc"), ("a", "amig")]
    assert wide.iloc[0].tolist() == [100, 90, 80, 70, 60, 50, 40, 30, 20]
    with pytest.raises(ValueError, match="steps"):
        funnel.counts(frame[frame["step"] != "known"])
    drawn(funnel.draw(frame))
