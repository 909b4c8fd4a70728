"""Which components pass a functional test."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.sets import NeuronSet
from dkn.structure.distances import connection_vectors, distance_matrix
from dkn.structure.functional_test import FunctionalTest, measure_components, recovery
from dkn.structure.functional_test import relative_drop as drop_of
from dkn.structure.ntc import NTCSettings, ntc
from tests.unit.neuron_sets import pairs_of
from tests.unit.released_structure import clusters, passing, relative_drop, step_between, two_between


def test_recovery_and_drop_by_hand() -> None:
    np.testing.assert_allclose(recovery(np.array([0.2, 0.5, 0.8]), 0.2, 0.8), [0, 0.5, 1])
    assert np.isnan(recovery(np.array([0.5]), 0.8, 0.8)).all()
    assert drop_of(0.8, 0.2) == pytest.approx(0.75)


def passes(test: str, tau2: float, **numbers: float | None) -> bool:
    """Whether one component with some numbers passes."""
    return bool(FunctionalTest(test, tau2).passes(pd.DataFrame([numbers]))[0])


def test_the_functional_tests_disagree_where_they_should() -> None:
    """In a fact that keeps most of Prob without its KNs, a component that nobody misses passes all but sufficiency."""
    useless = {"recovery": 0.0, "prob_only_component": 0.8, "drop": 0.01}
    assert not passes("sufficiency", 0.1, **useless)
    assert passes("absolute", 0.1, **useless)
    assert passes("compensation", 0.05, **useless)


def test_where_prob_is_small_bringing_everything_back_fails_absolute() -> None:
    all_there_is = {"recovery": 1.0, "prob_only_component": 0.05, "drop": 0.5}
    assert passes("sufficiency", 0.1, **all_there_is)
    assert not passes("absolute", 0.1, **all_there_is)
    assert not passes("compensation", 0.1, **all_there_is)


def test_a_threshold_must_be_exceeded() -> None:
    assert not passes("sufficiency", 0.5, recovery=0.5)
    assert not passes("absolute", 0.5, prob_only_component=0.5)
    assert not passes("compensation", 0.5, drop=0.5)


def test_what_cannot_be_recovered_does_not_pass() -> None:
    for missing in (float("nan"), None):
        assert not passes("sufficiency", -1000, recovery=missing)


def test_another_test_is_refused() -> None:
    with pytest.raises(UserError, match="sufficiency, absolute, compensation"):
        FunctionalTest("necessity", 0.1)
    with pytest.raises(UserError, match="unknown handling of lone components 'kept'; allowed: tested, left-out"):
        FunctionalTest("compensation", 0.05, "kept")


RELEASED = FunctionalTest("compensation", 0.05, lone="left-out")
LAST_FIRST_CHOICE = EditSettings("preactivation", "last", "first-choice")


def test_components_are_counted_per_grouping_and_draw() -> None:
    """All cost nothing; the index repeats, as it does in a table that was put together from several."""
    frame = pd.DataFrame(
        [
            (0, 0, [1, 2]),  # the only one of its grouping
            (1, 0, [0, 1]),
            (1, 0, [2, 3]),
            (1, 1, [0, 3]),  # the only one of its draw
            (2, 0, [4]),  # one neuron
            (2, 0, [5, 6]),  # tested: there are two candidates
        ],
        columns=["file", "repeat", "places"],
        index=[0, 0, 1, 2, 0, 1],
    ).assign(drop=0.0)
    assert RELEASED.passes(frame).tolist() == [False, True, True, False, False, True]
    assert FunctionalTest("compensation", 0.05).passes(frame).all()
    assert RELEASED.passes(frame.drop(columns=["file", "repeat"])).tolist() == [True] * 4 + [False, True]
    for few in (frame.iloc[:0], frame.iloc[:1], frame[["places", "drop"]].iloc[:1]):
        assert not RELEASED.passes(few).any()
        assert len(RELEASED.passes(few)) == len(few)


@pytest.mark.parametrize("edits", [EditSettings(), LAST_FIRST_CHOICE], ids=["text", "released"])
def test_left_out_against_one_pass_per_component(
    adapter: Adapter, random_fact: Callable[..., EncodedFact], edits: EditSettings
) -> None:
    """The released test, restated: at least two candidates, two neurons or more, and a drop under 5 % of Prob."""
    draw = np.random.default_rng(0)
    kept, lone = 0, 0
    for seed in range(12):
        fact = random_fact(5, 1 + seed % 2, seed)
        members = NeuronSet(np.sort(draw.integers(0, 3, 9)), draw.permutation(60)[:9])
        places = [np.array([0, 4]), np.array([2]), np.array([1, 5, 7])][: 1 + seed % 3]
        candidates = {fact.fact_id: pd.DataFrame({"places": places})}
        [frame] = measure_components(adapter, [fact], {fact.fact_id: members}, candidates, edits=edits)
        drops = [
            relative_drop(*(adapter.model, fact.prompt, fact.answer), pairs_of(members.take(group)), edits != AS_TEXT)
            for group in places
        ]
        np.testing.assert_allclose(frame["drop"], drops, rtol=1e-3, atol=1e-4)
        drop_of_group = dict(zip(map(tuple, places), drops, strict=True))
        expected = passing([tuple(group) for group in places], drop_of_group.__getitem__)
        assert RELEASED.passes(frame).tolist() == expected
        kept += sum(expected)
        lone += sum(drop < 0.05 for drop in drops) - sum(expected)
    assert kept > 0
    assert lone > 0


def test_the_released_structure_from_neurons_to_kept_groups(
    adapter: Adapter, random_fact: Callable[..., EncodedFact]
) -> None:
    """Connection, paths, clustering and test together, against plain loops and one hooked pass per group."""
    clustering = NTCSettings("difference", 0.05, 0.2, 2, clustering="short-edges")
    candidates, kept = 0, 0
    for seed in range(6):
        fact, draw = random_fact(5, 2, seed), np.random.default_rng(seed)
        layers = np.repeat(np.arange(adapter.n_layers), 6)
        members = NeuronSet(layers, np.concatenate([draw.permutation(80)[:6] for _ in range(adapter.n_layers)]))
        vectors = connection_vectors(adapter, members, False, "gate-down")
        found = ntc(distance_matrix(layers, *vectors, paths="two-between"), clustering)
        pairs = list(zip(layers.tolist(), members.neurons.tolist(), strict=True))
        square = two_between(layers.tolist(), step_between(adapter.model, pairs))
        expected = sorted(sorted(group) for group, _, _ in clusters(square, 0.2))
        assert [component.members.tolist() for component in found] == expected
        table = {fact.fact_id: pd.DataFrame({"places": [component.members for component in found]})}
        [frame] = measure_components(adapter, [fact], {fact.fact_id: members}, table, LAST_FIRST_CHOICE)

        def drop(group: Sequence[int], fact: EncodedFact = fact, pairs: list[tuple[int, int]] = pairs) -> float:
            return relative_drop(adapter.model, fact.prompt, fact.answer, [pairs[place] for place in group], True)

        assert RELEASED.passes(frame).tolist() == passing(expected, drop)
        candidates += len(found)
        kept += int(RELEASED.passes(frame).sum())
    assert candidates > kept > 0
