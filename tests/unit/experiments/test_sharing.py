"""Experiment sharing: its classes of facts by hand, its records against plain code, and planted copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from transformers import PreTrainedModel

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments.sharing import SharingSettings, classes, degenerate_facts, plan, scopes, suppression_records
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ASKED_FACTS, BDC, KINDS_OF_FACTS, KN_MATCHED, RANDOM
from dkn.summaries.sharing import summarise
from tests.unit import plain, planted
from tests.unit.neuron_sets import pairs_of, random_set

FACTS = 24
ALL = SharingSettings(None, 100, 2, 0)


def made_frame(facts: int = FACTS) -> pd.DataFrame:
    """Two facts per subject, three relations, five answers."""
    rows = [(f"f{n:02}", f"s{n // 2}", f"P{n % 3}", f"{'aA'[n % 2]}nswer {n % 5}") for n in range(facts)]
    return pd.DataFrame(rows, columns=["fact_id", "subject", "relation", "answer"]).set_index("fact_id", drop=False)


def made_components(members: dict[str, NeuronSet], bdcs: Callable[[str], int]) -> pd.DataFrame:
    """Components of two neurons each, of which the first ``bdcs`` of a fact pass the test."""
    rows = [
        (fact_id, component, np.array([2 * component, 2 * component + 1]), component < bdcs(fact_id))
        for fact_id, neurons in members.items()
        for component in range(len(neurons) // 2)
    ]
    return pd.DataFrame(rows, columns=["fact_id", "component", "places", "kept"])


def random_members(adapter: Adapter, size: int = 8) -> dict[str, NeuronSet]:
    return {name: random_set(adapter, size, number) for number, name in enumerate(made_frame().index)}


def test_the_scope_of_a_fact_is_the_first_that_holds() -> None:
    rows = [
        ("a", "s", "P1", "x"),
        ("b", "s", "P2", "x"),  # the subject comes before the answer
        ("c", "t", "P1", "x"),  # the answer comes before the relation
        ("d", "t", "P1", "y"),
        ("e", "t", "P2", "y"),
    ]
    frame = pd.DataFrame(rows, columns=["fact_id", "subject", "relation", "answer"]).set_index("fact_id", drop=False)
    scope = scopes(frame, "a")
    assert scope.tolist() == ["own", "same-subject", "same-answer", "same-relation", "other-relation"]
    assert scopes(frame, "d").tolist() == [*["same-relation", "other-relation"], "same-subject", "own", "same-subject"]
    assert classes(scope, np.array([2, 0, 1, 3, 0])).tolist() == [
        *["own", "same-subject", "same-answer", "same-relation-sharing", "other-relation-apart"]
    ]
    assert set(classes(scope, np.array([2, 0, 1, 0, 4]))) < set(ASKED_FACTS)


def test_facts_with_two_bdcs_are_sampled_by_subject() -> None:
    frame = made_frame()
    members = {name: NeuronSet(np.zeros(8, dtype=int), np.arange(8)) for name in frame.index}
    components = made_components(members, lambda name: int(name[1:]) % 3)
    every = degenerate_facts(components, frame, ALL)
    assert set(every["fact_id"]) == {name for name in frame.index if int(name[1:]) % 3 == 2}
    assert every["kept"].all()
    assert (every.groupby("fact_id").size() == 2).all()
    some = degenerate_facts(components, frame, SharingSettings(3, 1, 1, 0))
    assert 3 <= some["fact_id"].nunique() <= 4
    larger = degenerate_facts(components, frame, SharingSettings(6, 1, 1, 0))
    assert set(some["fact_id"]) < set(larger["fact_id"]) < set(every["fact_id"])


def test_records_equal_the_plain_restatement(
    adapter: Adapter, model64: PreTrainedModel, random_fact: Callable[..., EncodedFact]
) -> None:
    """Shared neurons by sets of pairs, and log Prob by hooks on the Hugging Face model."""
    frame, members = made_frame(), random_members(adapter)
    components = made_components(members, lambda name: 2 if name in ("f00", "f07") else 1)
    counted, asked = plan(degenerate_facts(components, frame, ALL), frame, members, adapter, ALL)
    pairs = {name: set(pairs_of(neurons)) for name, neurons in members.items()}
    assert len(counted) == 4 * 5 * len(KINDS_OF_FACTS)
    for row in counted:
        if row["neuron_set"] == BDC:
            own = frame.loc[row["fact_id"]]
            group = pairs_of(members[own["fact_id"]].take([2 * row["component"], 2 * row["component"] + 1]))
            others = [one for one in frame.itertuples() if kind(own, one) == row["others"]]
            having = [sum(pair in pairs[one.fact_id] for one in others) for pair in group]
            assert (row["facts"], row["having"]) == (len(others), np.mean(having))
    assert set(asked) == set(frame.index), "with no limit on their number every fact is asked"
    chosen = [name for name in frame.index if name in ("f00", "f01", "f05", "f12", "f20")]
    facts = [
        EncodedFact(name, *(lambda one: (one.prompt, one.answer))(random_fact(5, 2, number)))
        for number, name in enumerate(chosen)
    ]
    rows = suppression_records(adapter, facts, asked)
    assert len(rows) == len(chosen) * 4 * 3
    of_questions = [question for fact in facts for question in asked[fact.fact_id]]
    for row, question in zip(rows, of_questions, strict=True):
        fact = facts[chosen.index(row["asked"])]
        edit = pairs_of(question.group.neurons)
        before = plain.answer_log_probs(model64, fact.prompt, fact.answer).sum()
        after = plain.answer_log_probs(model64, fact.prompt, fact.answer, edit, 0.0).sum()
        assert row["log_prob_before"] == pytest.approx(before, abs=5e-5)
        assert row["log_prob_after"] == pytest.approx(after, abs=5e-5)
        if row["neuron_set"] == BDC:
            assert row["shared"] == len(pairs[row["asked"]] & set(edit))
            scope = kind(frame.loc[row["fact_id"]], frame.loc[row["asked"]])
            assert row["others"].startswith(scope)
            assert row["others"].endswith("sharing") == (
                row["shared"] > 0 and scope in ("same-relation", "other-relation")
            )
    assert {row["neuron_set"] for row in rows} == {BDC, RANDOM}


def kind(own: pd.Series, other: pd.Series) -> str:
    """The scope of a fact, in plain words."""
    if own.fact_id == other.fact_id:
        return "own"
    if own.subject == other.subject:
        return "same-subject"
    if own.answer.lower() == other.answer.lower():
        return "same-answer"
    return "same-relation" if own.relation == other.relation else "other-relation"


def test_random_sets_are_drawn_as_stated_and_facts_are_limited_per_class(adapter: Adapter) -> None:
    frame, members = made_frame(), random_members(adapter)
    components = made_components(members, lambda name: 2 if name == "f03" else 0)
    settings = SharingSettings(None, 2, 3, 0)
    counted, asked = plan(degenerate_facts(components, frame, settings), frame, members, adapter, settings)
    groups = {(q.group.component, q.group.neuron_set, q.group.repeat): q.group for qs in asked.values() for q in qs}
    assert set(groups) == {(c, name, r) for c in (0, 1) for name, n in ((BDC, 1), (RANDOM, 3)) for r in range(n)}
    for (component, name, _), group in groups.items():
        bdc = groups[component, BDC, 0].neurons
        assert sorted(group.neurons.layers) == sorted(bdc.layers)
        assert name == BDC or not set(pairs_of(group.neurons)) & set(pairs_of(bdc))
    assert {row["neurons"] for row in counted} == {2}
    assert {row["repeat"] for row in counted if row["neuron_set"] == KN_MATCHED} == {0, 1, 2}
    per_class = pd.DataFrame(
        [(q.group.component, q.others, name) for name, qs in asked.items() for q in qs if q.group.neuron_set == BDC],
        columns=["component", "others", "asked"],
    )
    counts = per_class.groupby(["component", "others"])["asked"].agg(["size", "nunique"])
    assert (counts["size"] == counts["nunique"]).all()
    assert counts["size"].max() == 2
    assert (counts.xs("own", level="others")["size"] == 1).all()


def test_the_plan_depends_on_the_seed_and_not_on_the_order_of_facts(adapter: Adapter) -> None:
    frame, members = made_frame(), random_members(adapter)
    components = made_components(members, lambda _: 2)

    def planned(frame: pd.DataFrame, components: pd.DataFrame, seed: int) -> tuple[set, set]:
        settings = SharingSettings(6, 2, 2, seed)
        counted, asked = plan(degenerate_facts(components, frame, settings), frame, members, adapter, settings)
        questions = {
            (
                name,
                q.group.fact_id,
                q.group.component,
                q.group.neuron_set,
                q.group.repeat,
                q.group.neurons.key(),
                q.others,
            )
            for name, qs in asked.items()
            for q in qs
        }
        return {tuple(row.values()) for row in counted}, questions

    first = planned(frame, components, 0)
    assert planned(frame.iloc[::-1], components.iloc[::-1], 0) == first
    other = planned(frame, components, 1)
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_planted_copies_cost_their_own_fact_alone() -> None:
    """The carriers of a fact in either layer are a BDC: each serves this fact, and no other."""
    numbers = range(planted.FACTS)
    rows = [(f"f{n}", f"s{n}", f"P{n % 2}", f"answer {n}") for n in numbers]
    frame = pd.DataFrame(rows, columns=["fact_id", "subject", "relation", "answer"]).set_index("fact_id", drop=False)
    members = {f"f{n}": planted.carriers(n) for n in numbers}
    halves = [np.arange(planted.CARRIERS), np.arange(planted.CARRIERS, 2 * planted.CARRIERS)]
    bdcs = [(f"f{n}", component, places, True) for n in numbers for component, places in enumerate(halves)]
    components = pd.DataFrame(bdcs, columns=["fact_id", "component", "places", "kept"])
    adapter = planted.planted_model(6.0)
    counted, asked = plan(degenerate_facts(components, frame, ALL), frame, members, adapter, ALL)
    records = pd.DataFrame(suppression_records(adapter, [planted.fact(n) for n in numbers], asked))
    about = frame[["subject", "relation"]]
    counted_records = pd.DataFrame(counted).join(about, on="fact_id")
    summary = summarise(counted_records, records.join(about, on="fact_id"), StatisticsSettings(200, 0.95, 0))
    means = {(row["neuron_set"], row["others"], row["metric"]): row["mean"] for row in summary["estimates"]}
    assert means[BDC, "own", "drop"] > 0.5
    assert means[RANDOM, "own", "drop"] == pytest.approx(0, abs=1e-6)
    for others in ("same-relation-apart", "other-relation-apart"):
        assert means[BDC, others, "drop"] == pytest.approx(0, abs=1e-6)
    asked_kinds = {others for _, others, metric in means if metric == "drop"}
    assert asked_kinds == {"own", "same-relation-apart", "other-relation-apart"}, "no fact shares a neuron"
    assert all(means[BDC, others, "share"] == 0 for others in ("same-relation", "other-relation"))
