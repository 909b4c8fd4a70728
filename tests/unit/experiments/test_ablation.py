"""Orders of neurons and what suppressing their first ones costs: by hand, by hooks, on a planted model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments.ablation import (
    AblationSettings,
    Scored,
    ablation_records,
    attribution_order,
    magnitude_order,
    magnitudes,
    orders,
    random_order,
    scored_neurons,
    steps,
)
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED
from dkn.summaries.ablation import summarise
from tests.unit import plain, planted
from tests.unit.neuron_sets import neuron_set, pairs_of, random_set

SETTINGS = AblationSettings(draws=2, seed=0)
STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)


def scored(adapter: Adapter, size: int, members: int, seed: int) -> Scored:
    """Random neurons with scores that fall."""
    return Scored(random_set(adapter, size, seed), np.arange(size, 0, -1.0), members)


def test_scored_neurons_begin_with_a_facts_knowledge_neurons() -> None:
    """Of equal scores too; facts without knowledge neurons are left out."""
    rows = [("a", 0, 5, 0.5), ("a", 1, 2, 1.0), ("a", 1, 7, 0.5), ("a", 0, 1, 0.2), ("b", 0, 0, 1.0), ("c", 0, 3, 0.1)]
    scores = pd.DataFrame(rows, columns=["fact_id", "layer", "neuron", "score"])
    members = pd.DataFrame([("a", 1, 2), ("a", 1, 7), ("c", 0, 3)], columns=["fact_id", "layer", "neuron"])
    found = scored_neurons(scores, members)
    assert {name: one.members for name, one in found.items()} == {"a": 2, "c": 1}
    assert pairs_of(found["a"].neurons) == [(1, 2), (1, 7), (0, 5), (0, 1)]
    assert found["a"].scores.tolist() == [1.0, 0.5, 0.5, 0.2]
    with pytest.raises(ValueError, match="each knowledge neuron"):
        Scored(neuron_set((0, 1)), np.array([1.0]), 2)


def test_orders_hold_every_neuron_once_and_begin_as_they_say() -> None:
    values = np.random.default_rng(0).random((3, 10))
    known = Scored(neuron_set((2, 3), (0, 1), (2, 9)), np.array([3.0, 2.0, 1.0]), 2)
    found = list(orders("f", known, values, SETTINGS))
    assert [(one.name, one.repeat) for one in found] == [
        *((ATTRIBUTION, 0), (MAGNITUDE, 0)),
        *((RANDOM_ORDER, 0), (RANDOM_ORDER, 1)),
    ]
    for one in found:
        assert sorted(pairs_of(one.neurons)) == [(layer, neuron) for layer in range(3) for neuron in range(10)]
    by_attribution, by_magnitude, first, second = (one.neurons for one in found)
    assert pairs_of(by_attribution)[:3] == pairs_of(known.neurons)
    assert np.all(np.diff(values[by_magnitude.layers, by_magnitude.neurons]) < 0)
    for one in (first, second):
        assert np.array_equal(one.layers, by_attribution.layers), "as many of every layer at every step"
    assert pairs_of(first) != pairs_of(second)


def test_orders_are_random_where_nothing_is_known() -> None:
    """Every neuron without a score is as likely to be the next; so is every neuron of a layer in the random order."""
    known = Scored(neuron_set((0, 0)), np.array([1.0]), 1)
    draws = [np.random.default_rng(seed) for seed in range(2000)]
    found = [attribution_order(known, 2, 3, draw) for draw in draws]
    following = np.bincount([3 * one.layers[1] + one.neurons[1] for one in found], minlength=6)
    assert following[0] == 0
    assert np.abs(following[1:] - 400).max() < 90  # five standard deviations
    drawn = np.bincount([random_order(found[0], draw).neurons[0] for draw in draws], minlength=3)
    assert np.abs(drawn - 2000 / 3).max() < 105
    tied = magnitude_order(np.array([[1.0, 2.0], [2.0, 0.0]]))
    assert pairs_of(tied) == [(0, 1), (1, 0), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("total", "members", "expected"),
    [(9, 3, [0, 1, 2, 3, 4, 8, 9]), (8, 4, [0, 1, 2, 4, 8]), (1, 1, [0, 1]), (2, 2, [0, 1, 2])],
)
def test_steps_double_and_hold_the_knowledge_neurons_and_both_ends(
    total: int, members: int, expected: list[int]
) -> None:
    assert steps(total, members) == expected


def test_records_are_what_hooks_on_the_model_give(adapter: Adapter, random_fact: Callable[..., EncodedFact]) -> None:
    """Batches of facts, beside one whole pass per fact, order and step, in which the neurons are multiplied by 0."""
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((4, 7))]
    own = {fact.fact_id: scored(adapter, 9, 5, seed) for seed, fact in enumerate(facts)}
    records = ablation_records(adapter, facts, own, SETTINGS)
    total = adapter.n_layers * adapter.n_neurons
    for fact, values in zip(facts, magnitudes(adapter, facts), strict=True):
        entering = plain.inputs_of(adapter.model, plain.down_projections(adapter.model), fact.context)
        seen = np.stack([part[fact.answer_positions].abs().mean(0).numpy() for part in entering])
        assert plain.relative_difference(values, seen) < 1e-5
        mine = records[records["fact_id"] == fact.fact_id]
        assert set(mine["kns"]) == {5}
        assert set(mine["scored"]) == {9}
        assert set(mine["total"]) == {total}
        before = plain.answer_log_probs(adapter.model, fact.prompt, fact.answer).sum()
        for order in orders(fact.fact_id, own[fact.fact_id], values, SETTINGS):
            pairs = pairs_of(order.neurons)
            rows = mine[(mine["order"] == order.name) & (mine["repeat"] == order.repeat)]
            for intervention in (SUPPRESSED, KEPT):
                points = rows[rows["intervention"] == intervention]
                assert points["neurons"].tolist() == steps(total, 5)
                for point in points.itertuples():
                    edit = pairs[: point.neurons] if intervention == SUPPRESSED else pairs[point.neurons :]
                    after = plain.answer_log_probs(adapter.model, fact.prompt, fact.answer, edit, 0.0).sum()
                    assert point.log_prob_before == pytest.approx(before, abs=1e-4)
                    assert point.log_prob_after == pytest.approx(after, abs=1e-4)


def test_all_knowledge_neurons_cost_what_the_other_experiments_call_full(
    adapter: Adapter, random_fact: Callable[..., EncodedFact]
) -> None:
    fact = random_fact(6, 2)
    own = scored(adapter, 12, 7, 3)
    records = ablation_records(adapter, [fact], {fact.fact_id: own}, SETTINGS)
    row = records[
        (records["order"] == ATTRIBUTION) & (records["intervention"] == SUPPRESSED) & (records["neurons"] == 7)
    ]
    members = own.neurons.take(np.arange(7))
    before, after = answer_log_probs(adapter, [fact], [[NO_NEURONS, members]])[0].sum(1)
    assert row["log_prob_before"].item() == pytest.approx(before, abs=1e-5)
    assert row["log_prob_after"].item() == pytest.approx(after, abs=1e-5)


def planted_study(members: Callable[[int], Scored]) -> dict:
    """The summary of the planted model's facts, each a subject of its own."""
    adapter = planted.planted_model(6.0)
    facts = [planted.fact(number) for number in range(planted.FACTS)]
    own = {fact.fact_id: members(number) for number, fact in enumerate(facts)}
    records = ablation_records(adapter, facts, own, SETTINGS)
    return summarise(records.assign(subject=records["fact_id"]), STATISTICS)


def numbers(summary: dict, part: str, value: str, **where: str) -> float:
    rows = [row for row in summary[part] if all(row[key] == wanted for key, wanted in where.items())]
    assert len(rows) == 1
    return rows[0][value]


def test_the_order_of_planted_neurons_matters() -> None:
    """Only the carriers of a fact hold it: the first six neurons by attribution, which are enough alone."""
    summary = planted_study(lambda number: Scored(planted.carriers(number), np.arange(6, 0, -1.0), 6))
    assert numbers(summary, "estimates", "mean", order=ATTRIBUTION, metric="drop") > 0.9
    assert numbers(summary, "estimates", "mean", order=ATTRIBUTION, metric="alone") > 0.95
    assert numbers(summary, "estimates", "mean", order=RANDOM_ORDER, metric="drop") < 0.2
    for metric in ("drop", "alone", "comprehensiveness", "sufficiency"):
        contrast = {"first": ATTRIBUTION, "second": RANDOM_ORDER, "metric": metric}
        assert numbers(summary, "contrasts", "low", **contrast) > 0
        assert numbers(summary, "contrasts", "p_holm", **contrast) < 0.05
    everything = numbers(summary, "estimates", "mean", order="all", metric="left")
    assert everything == pytest.approx(numbers(summary, "estimates", "mean", order=ATTRIBUTION, metric="left"))


def test_an_order_that_says_nothing_shows_no_effect() -> None:
    """Scores of random neurons: no contrast with the random order is significant."""
    adapter = planted.planted_model(6.0)
    summary = planted_study(lambda number: Scored(random_set(adapter, 6, number), np.arange(6, 0, -1.0), 6))
    for row in summary["contrasts"]:
        if row["second"] == RANDOM_ORDER:
            assert row["p_holm"] > 0.05, row


def test_records_depend_on_the_seed_and_neither_on_order_nor_on_batch(
    adapter: Adapter, random_fact: Callable[..., EncodedFact]
) -> None:
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((4, 7, 5))]
    own = {fact.fact_id: scored(adapter, 9, 5, seed) for seed, fact in enumerate(facts)}
    keys = ["fact_id", "order", "repeat", "intervention", "neurons"]
    whole = ablation_records(adapter, facts, own, SETTINGS).sort_values(keys, ignore_index=True)
    alone = pd.concat([ablation_records(adapter, [fact], own, SETTINGS) for fact in reversed(facts)])
    pd.testing.assert_frame_equal(whole, alone.sort_values(keys, ignore_index=True), rtol=1e-4, atol=1e-5)
    other = ablation_records(adapter, facts, own, AblationSettings(2, 1)).sort_values(keys, ignore_index=True)
    drawn = whole["order"] == RANDOM_ORDER
    assert not np.allclose(whole.loc[drawn, "log_prob_after"], other.loc[drawn, "log_prob_after"], atol=1e-4)
    scores_say = (whole["order"] == ATTRIBUTION) & (whole["intervention"] == SUPPRESSED) & (whole["neurons"] <= 9)
    assert np.array_equal(whole.loc[scores_say, "log_prob_after"], other.loc[scores_say, "log_prob_after"])
