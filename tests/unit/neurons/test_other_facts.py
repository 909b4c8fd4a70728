"""The sets of other facts: whose they are, how many neurons they have, and what they share with a fact's own."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.neurons.other_facts import sets_of_other_facts
from dkn.neurons.sets import NeuronSet, common_neurons
from dkn.study.names import OTHER_FACT, OTHER_RELATION
from tests.unit.neuron_sets import neuron_set, pairs_of


def facts_of(rows: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Facts by id, each with its subject and relation."""
    return pd.DataFrame.from_dict(rows, orient="index", columns=["subject", "relation"])


def layer_of(layer: int, size: int) -> NeuronSet:
    """The first neurons of a layer, which tells whose set it is."""
    return neuron_set(*((layer, neuron) for neuron in range(size)))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=9),
    st.sampled_from([OTHER_FACT, OTHER_RELATION]),
    st.integers(0, 9),
)
def test_another_fact_has_another_subject_and_enough_neurons(
    rows: list[tuple[int, int, int]], kind: str, seed: int
) -> None:
    facts = facts_of({f"f{n}": (f"s{subject}", f"r{relation}") for n, (subject, relation, _) in enumerate(rows)})
    sizes = [size for _, _, size in rows]
    sets = {f"f{n}": layer_of(n, size) for n, size in enumerate(sizes)}
    found = sets_of_other_facts(sets, facts, kind, 3, seed)
    assert set(found) == set(sets)
    for number, (subject, relation, size) in enumerate(rows):
        fitting = {
            other
            for other, (its_subject, its_relation, its_size) in enumerate(rows)
            if its_subject != subject and (its_relation == relation) == (kind == OTHER_FACT) and its_size >= size
        }
        assert len(found[f"f{number}"]) == (3 if fitting else 0)
        for drawn in found[f"f{number}"]:
            (owner,) = set(drawn.layers.tolist())
            assert owner in fitting
            assert len(set(pairs_of(drawn))) == size
            assert set(pairs_of(drawn)) <= set(pairs_of(sets[f"f{owner}"]))


def test_draws_are_keyed_by_seed_kind_and_fact_and_reach_every_other_fact() -> None:
    facts = facts_of({f"f{n}": (f"s{n}", "r") for n in range(6)})
    sets = {f"f{n}": layer_of(n, 2 + n // 3) for n in range(6)}

    def owners(seed: int, of: dict[str, NeuronSet]) -> list[int]:
        return [int(drawn.layers[0]) for drawn in sets_of_other_facts(of, facts, OTHER_FACT, 60, seed)["f0"]]

    assert set(owners(0, sets)) == {1, 2, 3, 4, 5}
    assert owners(0, sets) == owners(0, dict(reversed(sets.items())))
    assert owners(0, sets) != owners(1, sets)
    cut = sets_of_other_facts(sets, facts, OTHER_FACT, 60, 0)["f0"]
    assert {pairs_of(drawn)[0][1] for drawn in cut} == {0, 1, 2}, "larger sets are cut at random"


def test_own_neurons_are_kept_and_counted() -> None:
    """Two facts of one relation have the same neurons: all that is drawn is shared."""
    facts = facts_of({"a": ("s", "r"), "b": ("t", "r"), "c": ("u", "q")})
    sets = {"a": layer_of(0, 3), "b": layer_of(0, 3), "c": layer_of(1, 3)}
    (same,) = sets_of_other_facts(sets, facts, OTHER_FACT, 1, 0)["a"]
    (other,) = sets_of_other_facts(sets, facts, OTHER_RELATION, 1, 0)["a"]
    assert common_neurons(same, sets["a"]) == 3
    assert common_neurons(other, sets["a"]) == 0
    assert common_neurons(neuron_set((0, 2), (0, 9), (1, 0)), sets["a"]) == 1
    assert sets_of_other_facts({}, facts, OTHER_FACT, 2, 0) == {}


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'random'"):
        sets_of_other_facts({}, facts_of({}), "random", 1, 0)


def test_the_table_of_facts_may_hold_more_in_any_order() -> None:
    facts = facts_of({"é 1": ("s", "r"), "unused": ("x", "r"), "b": ("t", "r")}).iloc[::-1]
    found = sets_of_other_facts({"é 1": layer_of(0, 1), "b": layer_of(1, 2)}, facts, OTHER_FACT, 1, 0)
    assert [drawn.layers.tolist() for drawn in found["é 1"]] == [[1]]
    assert found["b"] == [], "no other set is as large"
