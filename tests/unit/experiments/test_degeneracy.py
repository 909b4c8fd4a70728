"""The degeneracy experiment: which subsets are suppressed, and records that match their control and ignore order."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments.degeneracy import (
    DegeneracySettings,
    all_groups,
    degeneracy_records,
    groups_of_other_facts,
    interventions,
    proper_subsets,
    with_controls,
)
from dkn.neurons.edits import EditSettings
from dkn.neurons.sets import NeuronSet
from dkn.structure.candidates import candidates_table
from dkn.study.names import CONTROL, OTHER_FACT, OTHER_FACTS, OTHER_RELATION, TESTED_CONTROLS
from tests.unit import switches
from tests.unit.neuron_sets import pairs_of

SETTINGS = DegeneracySettings(max_subsets=32, partitions=2, seed=0)


@given(st.integers(2, 12), st.integers(2, 64), st.integers(0, 99))
def test_subsets_are_proper_different_and_of_every_size(components: int, limit: int, seed: int) -> None:
    found = proper_subsets(components, limit, np.random.default_rng(seed))
    assert len(set(found)) == len(found)
    assert {len(subset) for subset in found} == set(range(1, components))
    assert all(len(set(subset)) == len(subset) and max(subset) < components for subset in found)
    if 2**components - 2 <= limit:
        assert len(found) == 2**components - 2
    else:
        assert len(found) <= max(limit, components - 1)
        per_size = max(1, limit // (components - 1))
        counts = np.bincount([len(subset) for subset in found], minlength=components)
        assert all(counts[size] == min(per_size, comb(components, size)) for size in range(1, components))


def test_records_match_control_in_number_of_neurons_and_ignore_order(adapter: Adapter) -> None:
    """The same facts in another order or another batch give the same records."""
    facts = [EncodedFact("x", [5, 6, 7], [4]), EncodedFact("y", [8, 9, 10, 11], [3])]
    neurons = NeuronSet(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1, 5, 2, 3, 0, 4, 6]))
    places = [np.array([0, 2]), np.array([1, 3, 4])]
    groups = {fact.fact_id: with_controls(fact.fact_id, "bdc", places, neurons, SETTINGS, "ntc") for fact in facts}
    both = degeneracy_records(adapter, facts, groups, SETTINGS)
    alone = pd.concat([degeneracy_records(adapter, [fact], groups, SETTINGS) for fact in reversed(facts)])
    keys = ["fact_id", "grouping", "repeat", "suppressed_neurons", "suppressed_components"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (both, alone))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-5)
    counts = both.groupby(["fact_id", "grouping", "repeat"])["suppressed_neurons"].apply(sorted)
    assert all(values == [2, 3, 5] for values in counts)


def test_records_are_of_the_edits_that_are_asked_for(adapter: Adapter) -> None:
    """With the released code's, every subset is one hooked pass per answer token."""
    fact = EncodedFact("x", [5, 6, 7], [4, 9])
    neurons = NeuronSet(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1, 5, 2, 3, 0, 4, 6]))
    places = [np.array([0, 2]), np.array([1, 3, 4])]
    groups = {"x": with_controls("x", "bdc", places, neurons, SETTINGS, "ntc")[:1]}
    edits = EditSettings("preactivation", "last", "first-choice")
    records = degeneracy_records(adapter, [fact], groups, SETTINGS, edits=edits)
    assert records["suppressed"].tolist() == [[0], [1], [0, 1]]
    for row in records.itertuples(index=False):
        own = [place for number in row.suppressed for place in places[number]]
        for found, edit in ((row.log_prob_before, []), (row.log_prob_after, pairs_of(neurons.take(own)))):
            expected, _ = switches.answer_log_probs(
                *(adapter.model, fact.prompt, fact.answer, edit, 0.0),
                site="preactivation",
                positions="last",
                answer_path="first-choice",
            )
            assert found == pytest.approx(expected.sum(), rel=1e-4, abs=1e-4)
    usual = degeneracy_records(adapter, [fact], groups, SETTINGS)
    assert not np.allclose(usual["log_prob_after"], records["log_prob_after"], atol=1e-2)


@pytest.mark.parametrize("control", TESTED_CONTROLS)
def test_a_tested_control_is_judged_alike_and_not_controlled_again(control: str) -> None:
    components = candidates_table({"x": [[np.array([0, 1]), np.array([2, 3])]] * 3})
    components["kept"] = [True, True, True, False, True, True]
    members = {"x": NeuronSet(np.zeros(6, dtype=int), np.arange(6))}
    settings = DegeneracySettings(max_subsets=14, partitions=2, seed=0)
    groups = [group for _, found in all_groups(components, members, control, settings) for group in found]
    assert [(group.grouping, group.selection, group.repeat) for group in groups] == [
        (control, "bdc", 0),
        (control, "bdc", 2),
    ]
    once = components[components["repeat"] == 1]
    groups = [group for _, found in all_groups(once, members, "ntc", settings) for group in found]
    assert [(group.grouping, group.selection) for group in groups] == [("ntc", "candidate")] + [
        (CONTROL, "candidate")
    ] * 2


def components_of_layers(kept: dict[str, list[bool]]) -> tuple[pd.DataFrame, dict[str, NeuronSet]]:
    """Two components of each fact, of two neurons, and its knowledge neurons: those of a layer of its own."""
    places = [np.array([0, 1]), np.array([2, 3])]
    components = candidates_table({fact: [places[: len(passed)]] for fact, passed in kept.items()})
    components["kept"] = [one for passed in kept.values() for one in passed]
    return components, {fact: NeuronSet(np.full(6, layer), np.arange(6)) for layer, fact in enumerate(kept)}


def test_another_facts_neurons_are_as_many_and_of_the_kind() -> None:
    components, members = components_of_layers(
        {"own": [True, True], "same": [True, True], "other": [True, True], "one": [True, False], "none": [False, False]}
    )
    facts = pd.DataFrame({"subject": list(members), "relation": ["r", "r", "q", "r", "q"]}, index=list(members))
    found: dict[str, list] = {}
    for fact, groups in groups_of_other_facts(components, members, facts, SETTINGS):
        found.setdefault(fact, []).extend(groups)
    assert set(found) == {"own", "same", "other"}, "facts with two BDCs"
    drawn = {kind: [group for group in found["own"] if group.grouping == kind] for kind in OTHER_FACTS}
    for kind, layer in ((OTHER_FACT, 1), (OTHER_RELATION, 2)):
        assert [(group.selection, group.repeat, group.experiment) for group in drawn[kind]] == [
            ("bdc", 0, "ntc"),
            ("bdc", 1, "ntc"),
        ]
        for group in drawn[kind]:
            assert [sorted(pairs_of(part)) for part in group.parts] == [[(layer, place) for place in range(4)]]
    assert not [group for group in found["other"] if group.grouping == OTHER_FACT], "no other fact of its relation"


def test_another_facts_neurons_are_suppressed_as_a_whole_only(adapter: Adapter) -> None:
    components, members = components_of_layers({"x": [True, True], "y": [True, True]})
    facts = pd.DataFrame({"subject": ["a", "b"], "relation": ["r", "r"]}, index=["x", "y"])
    asked = [EncodedFact("x", [5, 6, 7], [4]), EncodedFact("y", [8, 9, 10], [3])]
    groups: dict[str, list] = {}
    for fact, more in (
        *all_groups(components, members, "ntc", SETTINGS),
        *groups_of_other_facts(components, members, facts, SETTINGS),
    ):
        groups.setdefault(fact, []).extend(more)
    records = degeneracy_records(adapter, asked, groups, SETTINGS)
    assert len(records) == 2 * interventions(groups["x"], SETTINGS)
    others = records[records["grouping"] == OTHER_FACT]
    assert others["suppressed_neurons"].tolist() == [4] * 4
    assert (others["suppressed_components"] == others["components"]).all()
    mine = records[(records["fact_id"] == "x") & (records["grouping"] == OTHER_FACT)]
    plain = degeneracy_records(
        adapter, asked[:1], {"x": with_controls("x", "bdc", [np.arange(4)], members["y"], SETTINGS, "ntc")}, SETTINGS
    )
    assert mine["log_prob_after"].iloc[0] == pytest.approx(plain["log_prob_after"].iloc[0], abs=1e-5)
