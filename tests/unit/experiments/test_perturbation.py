"""Suppression and enhancement on a planted model, on random labels, and their bookkeeping."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.experiments.perturbation import (
    NamedSet,
    PerturbationSettings,
    all_queries,
    named_sets,
    perturbation_records,
    query_id,
)
from dkn.facts.perturbed_prompts import PerturbedPrompt, Question, perturbed_prompts, vocabulary
from dkn.neurons.edits import EditSettings
from dkn.neurons.interventions import SITES
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import QUERIES
from dkn.summaries.perturbation import summarise
from dkn.summaries.stored import only_match
from tests.unit import planted, switches
from tests.unit.neuron_sets import by_hand, pairs_of

STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)
PREFIXES = dict(zip(QUERIES, ((28, 29), (28, 30), (28, 31, 29), (28,)), strict=True))


def join(first: NeuronSet, second: NeuronSet) -> NeuronSet:
    return NeuronSet(np.concatenate((first.layers, second.layers)), np.concatenate((first.neurons, second.neurons)))


def study(
    adapter: Adapter,
    queries: list[EncodedFact],
    dkn: dict[str, NeuronSet],
    kn: dict[str, NeuronSet],
    settings: PerturbationSettings,
) -> pd.DataFrame:
    """Records of facts, each a subject of its own, with the columns that a stage adds."""
    facts = pd.DataFrame({"subject": list(dkn), "relation": "r"}, index=list(dkn))
    records = perturbation_records(adapter, queries, named_sets(dkn, kn, facts, adapter.n_neurons, settings), settings)
    return records.assign(subject=records["fact_id"], components=2, question="preserving")


def planted_study(strength: float, setting: str, site: str) -> pd.DataFrame:
    """The DKN carries the fact; the KNs are the DKN and as many neurons that write nothing."""
    idle = NeuronSet(np.repeat([0, 1], 3), np.array([80, 81, 82, 90, 91, 92]))
    facts = [planted.fact(number) for number in range(planted.FACTS)]
    queries = [
        EncodedFact(query_id(fact.fact_id, query), [*prefix, fact.prompt[-1]], fact.answer)
        for fact in facts
        for query, prefix in PREFIXES.items()
    ]
    dkn = {fact.fact_id: planted.carriers(number) for number, fact in enumerate(facts)}
    kn = {name: join(neurons, idle) for name, neurons in dkn.items()}
    settings = PerturbationSettings(setting, site, 2, "preserving", 0)
    return study(planted.planted_model(strength), queries, dkn, kn, settings)


def contrast(summary: dict, second: str, query: str, metric: str) -> dict:
    where = {"population": "all", "second": second, "query": query, "metric": metric}
    row = only_match(summary["contrasts"], where)
    assert row is not None
    return dict(row)


def mean(summary: dict, neuron_set: str, query: str, metric: str) -> float:
    where = {"population": "all", "neuron_set": neuron_set, "query": query, "metric": metric}
    row = only_match(summary["estimates"], where)
    assert row is not None
    return float(row["mean"])


@pytest.mark.parametrize("site", SITES)
def test_suppressing_planted_neurons_costs_a_fact_and_random_ones_nothing(site: str) -> None:
    summary = summarise(planted_study(6.0, "suppression", site), "suppression", STATISTICS)
    for query in QUERIES:
        assert mean(summary, "none", query, "accuracy") == 1
        assert mean(summary, "dkn", query, "accuracy") == 0
        assert mean(summary, "dkn", query, "lost") == 1
        assert mean(summary, "dkn", query, "drop") > 0.9
        assert mean(summary, "random", query, "drop") == pytest.approx(0, abs=1e-6)
        assert abs(mean(summary, "dkn-other-fact", query, "drop")) < 0.1
        assert contrast(summary, "dkn-other-fact", query, "drop")["p_holm"] < 0.05
        assert mean(summary, "kn", query, "drop_per_neuron") == pytest.approx(
            mean(summary, "dkn", query, "drop_per_neuron") / 2, rel=1e-4
        )
        assert contrast(summary, "random", query, "nats")["p_holm"] < 0.05
        assert contrast(summary, "kn-matched", query, "drop")["difference"] > 0.05
        assert contrast(summary, "kn", query, "drop")["difference"] == pytest.approx(0, abs=1e-6)
    assert mean(summary, "dkn", "interaction", "nats") == pytest.approx(0, abs=1e-4)
    assert summary["counts"]["queries"] == dict.fromkeys(QUERIES, planted.FACTS)
    sizes = {"none": 0, "dkn": 6, "kn": 12, "kn-matched": 6, "random": 6, "dkn-other-fact": 6}
    assert summary["counts"]["mean_neurons"] == sizes


@pytest.mark.parametrize("site", SITES)
def test_enhancing_the_planted_neurons_brings_a_weak_fact_back(site: str) -> None:
    summary = summarise(planted_study(2.5, "enhancement", site), "enhancement", STATISTICS)
    for query in QUERIES:
        assert mean(summary, "none", query, "accuracy") == 0
        assert mean(summary, "dkn", query, "regained") == 1
        assert mean(summary, "random", query, "regained") == 0
        assert mean(summary, "dkn", query, "nats") < -1
        assert contrast(summary, "random", query, "accuracy")["difference"] == 1
        assert contrast(summary, "random", query, "accuracy")["p_holm"] < 0.05


@pytest.mark.parametrize("setting", ["suppression", "enhancement"])
@pytest.mark.parametrize("site", SITES)
def test_random_labels_give_no_finding(
    adapter: Adapter, random_fact: Callable[..., EncodedFact], setting: str, site: str
) -> None:
    """A DKN of random neurons differs neither from random neurons nor from random KNs."""
    dkn, kn, queries = {}, {}, []
    draw = np.random.default_rng(9)  # of 18 such runs, 4 % of all p were below 0.05
    for number in range(24):
        flat = draw.choice(adapter.n_layers * adapter.n_neurons, 12, replace=False)
        neurons = NeuronSet(flat // adapter.n_neurons, flat % adapter.n_neurons)
        dkn[f"{number}"], kn[f"{number}"] = neurons.take(range(6)), neurons
        for place, query in enumerate(QUERIES):
            fact = random_fact(5, 1, 10 * number + place)
            queries.append(EncodedFact(query_id(f"{number}", query), fact.prompt, fact.answer))
    records = study(adapter, queries, dkn, kn, PerturbationSettings(setting, site, 2, "preserving", 0))
    found = [row for row in summarise(records, setting, STATISTICS)["contrasts"] if row["second"] != "kn"]
    assert len(found) == 72
    assert min(row["p_holm"] for row in found) > 0.05
    assert np.mean([row["p"] < 0.05 for row in found]) < 0.2


@pytest.mark.parametrize("site", SITES)
def test_records_depend_on_the_seed_and_neither_on_order_nor_on_batch(
    adapter: Adapter, random_fact: Callable[..., EncodedFact], site: str
) -> None:
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((4, 7, 5))]
    queries = [EncodedFact(query_id(f.fact_id, query), f.prompt, f.answer) for f in facts for query in QUERIES[:2]]
    kn = {f.fact_id: NeuronSet(np.array([0, 0, 1, 1, 2, 2]), np.array([5, 1, 2, 3, 0, 4])) for f in facts}
    dkn = {name: neurons.take([0, 2]) for name, neurons in kn.items()}

    def run(part: list[EncodedFact], seed: int = 0) -> pd.DataFrame:
        return study(adapter, part, dkn, kn, PerturbationSettings("enhancement", site, 2, "preserving", seed))

    keys = ["fact_id", "query", "neuron_set", "repeat"]
    whole = run(queries)
    pd.testing.assert_frame_equal(whole, run(queries), check_exact=True)
    alone = pd.concat([run([query]) for query in reversed(queries)])
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (whole, alone))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-5)
    drawn = whole["neuron_set"].isin(["random", "kn-matched"])
    other = run(queries, seed=1)
    assert not np.allclose(whole.loc[drawn, "log_prob_after"], other.loc[drawn, "log_prob_after"], atol=1e-4)
    assert np.array_equal(whole.loc[~drawn, "log_prob_after"], other.loc[~drawn, "log_prob_after"])


@pytest.mark.parametrize("site", SITES)
def test_records_are_of_the_edits_that_are_asked_for(
    adapter: Adapter, random_fact: Callable[..., EncodedFact], site: str
) -> None:
    """The released code's enhancement of the DKN: one pass per answer token, and for weights an edited model."""
    fact, kn = random_fact(5, 2, 0), NeuronSet(np.array([0, 0, 1, 2]), np.array([5, 1, 2, 4]))
    asked = EncodedFact(query_id("f", "original"), fact.prompt, fact.answer)
    facts = pd.DataFrame({"subject": "s", "relation": "r"}, index=["f"])
    settings = PerturbationSettings("enhancement", site, 2, "any", 0, "markers", "dkn")
    sets = named_sets({"f": kn}, {"f": kn}, facts, adapter.n_neurons, settings)
    edits = EditSettings("preactivation", "last", "first-choice", "bare")
    found = perturbation_records(adapter, [asked], sets, settings, edits=edits)["log_prob_after"]
    expected = []
    for edit in (kn.take([]), kn):
        if site == "weights":
            edited = by_hand(adapter.model, edit, 2.0)
            tokens = [switches.answer_log_probs(edited, fact.prompt, [token], (), 1.0)[0] for token in fact.answer]
            expected.append(sum(float(token.sum()) for token in tokens))
        else:
            log_probs, _ = switches.answer_log_probs(
                *(adapter.model, fact.prompt, fact.answer, pairs_of(edit), 2.0),
                site="preactivation",
                positions="last",
                answer_path="first-choice",
            )
            expected.append(float(log_probs.sum()))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    usual = perturbation_records(adapter, [asked], sets, settings)["log_prob_after"]
    assert not np.allclose(found, usual, atol=1e-2)


def test_sets_are_the_same_in_all_experiments_and_drawn_as_stated() -> None:
    kn = NeuronSet(np.array([0, 0, 1, 1, 1]), np.array([3, 4, 5, 6, 7]))
    dkn = kn.take([1, 2, 3])

    def pairs(one: NamedSet) -> set[tuple[int, int]]:
        return set(zip(one.neurons.layers.tolist(), one.neurons.neurons.tolist(), strict=True))

    other = NeuronSet(np.full(5, 2), np.arange(5))
    facts = pd.DataFrame({"subject": ["s", "t"], "relation": "r"}, index=["f", "g"])
    first, second = (
        named_sets({"f": dkn, "g": other}, {"f": kn, "g": other}, facts, 50, settings)["f"]
        for settings in (
            PerturbationSettings("suppression", "values", 3, "preserving", 0),
            PerturbationSettings("enhancement", "weights", 3, "any", 0),
        )
    )
    assert [(one.name, one.repeat) for one in first] == [
        *(("none", 0), ("dkn", 0), ("kn", 0)),
        *((name, repeat) for name in ("kn-matched", "random", "dkn-other-fact") for repeat in range(3)),
    ]
    assert [pairs(one) for one in first] == [pairs(one) for one in second]
    for one in first[3:6]:
        assert len(pairs(one)) == 3
        assert pairs(one) <= pairs(first[2])
    for one in first[6:9]:
        assert sorted(one.neurons.layers) == [0, 1, 1]
        assert not pairs(one) & pairs(first[1])
    assert len({frozenset(pairs(one)) for one in first[6:9]}) > 1
    assert all(len(pairs(one)) == 3 and set(one.neurons.layers) == {2} for one in first[9:])
    assert [one.shared for one in first] == [len(pairs(one) & pairs(first[1])) for one in first]


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(UserError, match="suppression, enhancement"):
        PerturbationSettings("removal", "values", 1, "any", 0)
    with pytest.raises(UserError, match="unknown kind of queries 'all'; allowed: preserving, any"):
        PerturbationSettings("suppression", "values", 1, "all", 0)
    with pytest.raises(UserError, match="unknown put_in 'stars'; allowed: words, markers"):
        PerturbationSettings("suppression", "values", 1, "any", 0, "stars")
    with pytest.raises(UserError, match="unknown compared 'kn'; allowed: all, dkn"):
        PerturbationSettings("suppression", "values", 1, "any", 0, compared="kn")


def test_where_only_the_dkn_is_compared_its_records_are_those_of_the_whole(
    adapter: Adapter, random_fact: Callable[..., EncodedFact]
) -> None:
    facts = [random_fact(5, 2, seed) for seed in range(3)]
    queries = [EncodedFact(query_id(f.fact_id, "original"), f.prompt, f.answer) for f in facts]
    kn = {f.fact_id: NeuronSet(np.array([0, 0, 1, 2]), np.array([5, 1, 2, 4])) for f in facts}
    dkn = {name: neurons.take([0, 2]) for name, neurons in kn.items()}
    whole, alone = (
        study(adapter, queries, dkn, kn, PerturbationSettings("suppression", "values", 2, "any", 0, compared=compared))
        for compared in ("all", "dkn")
    )
    assert alone["neuron_set"].tolist() == ["none", "dkn"] * 3
    expected = whole[whole["neuron_set"].isin(["none", "dkn"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("queries", ["preserving", "any"])
@pytest.mark.parametrize("put_in", ["words", "markers"])
def test_queries_are_perturbed_with_the_words_of_all_wordings(queries: str, put_in: str) -> None:
    settings = PerturbationSettings("suppression", "values", 1, queries, 3, put_in)
    frame = pd.DataFrame(
        {
            "fact_id": ["a", "b"],
            "subject": ["Rome", "Oslo"],
            "date": ["2012", None],
            "answers": [["Ada"], ["Bo"]],
            "prompt": ["In 2012, the mayor of Rome was", "Oslo"],
            "complex": ["whoever leads Rome is", "people say of Oslo"],
            "paraphrases": [["heads the town of Rome"], ["they live near"]],
        }
    )
    found = all_queries(frame, frame, settings).set_index(["fact_id", "query"])
    assert list(found.index) == [*(("a", query) for query in QUERIES), ("b", "original")], "one word has no inside"
    assert found.loc[("a", "original")].tolist() == [frame["prompt"][0], "preserving"]
    wordings = [*frame["prompt"], *frame["complex"], *(text for texts in frame["paraphrases"] for text in texts)]
    words = vocabulary([(text, "") for text in wordings], [])
    expected = perturbed_prompts("a", Question(frame["prompt"][0], "Rome", "2012"), words, 3, queries, put_in)
    assert ("[ADDED]" in expected["add"].text) == (put_in == "markers")
    assert {query: PerturbedPrompt(*found.loc[("a", query)]) for query in expected} == expected
    alone = all_queries(frame, frame.iloc[:1], settings)
    assert alone.values.tolist() == found.loc[["a"]].reset_index().values.tolist()
    assert list(all_queries(frame, frame.iloc[:0], settings)) == ["fact_id", "query", "prompt", "question"]
