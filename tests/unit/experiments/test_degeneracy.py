"""The degeneracy experiment: which subsets are suppressed, and records that match their control and ignore order."""

from math import comb

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments.degeneracy import DegeneracySettings, all_groups, degeneracy_records, proper_subsets, with_controls
from dkn.neurons.sets import NeuronSet
from dkn.structure.candidates import candidates_table
from dkn.study.names import CONTROL

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
    members = {"x": neurons, "y": neurons}
    groups = {fact.fact_id: with_controls(fact.fact_id, "bdc", places, 7, SETTINGS, "ntc") for fact in facts}
    both = degeneracy_records(adapter, facts, members, groups, SETTINGS)
    alone = pd.concat([degeneracy_records(adapter, [fact], members, groups, SETTINGS) for fact in reversed(facts)])
    keys = ["fact_id", "grouping", "repeat", "suppressed_neurons", "suppressed_components"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (both, alone))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-5)
    counts = both.groupby(["fact_id", "grouping", "repeat"])["suppressed_neurons"].apply(sorted)
    assert all(values == [2, 3, 5] for values in counts)


def test_the_tested_control_is_judged_alike_and_not_controlled_again() -> None:
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
