"""True and false statements of facts: which answers are false, and that both wordings have the same ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.loading import LanguageModel
from dkn.experiments.statements import encode_by_wording, false_answer, make_statements, sampled_statements
from dkn.facts.same_answers import SameAnswers
from dkn.neurons.sets import NO_NEURONS
from tests.unit.statement_facts import facts_table

FACTS = facts_table(
    [
        ("a1", "A", "P1", "2010", ["Rome", "Roma"]),
        ("a2", "A", "P1", "2011", ["Oslo"]),
        ("a3", "A", "P1", "2010", ["Bonn"]),  # accepted of the same subject at the same date
        ("b1", "B", "P1", "2010", ["roma"]),
        ("b2", "B", "P1", "2011", ["Bonn"]),
        ("b3", "B", "P1", "2012", ["Paris"]),
        ("b4", "B", "P1", "2013", ["Paris"]),
        ("b5", "B", "P1", "2014", ["Oslo"]),
        ("c1", "C", "P2", None, ["Basel"]),
        ("d1", "D", "P2", None, ["Basel", "Bern"]),
    ]
)


def drawn(fact_id: str) -> list[str | None]:
    fact = FACTS.set_index("fact_id", drop=False).loc[fact_id]
    relation = FACTS[FACTS["relation"] == fact["relation"]]
    same_answers = SameAnswers(relation)
    return [false_answer(fact, relation, same_answers, np.random.default_rng(seed)) for seed in range(300)]


def test_false_answers_are_of_the_relation_and_nowhere_accepted_then() -> None:
    """Rome, Roma and Bonn are accepted at a1's date, whatever the capitals; Oslo, A's answer of 2011, is false then."""
    found = pd.Series(drawn("a1")).value_counts(normalize=True)
    assert set(found.index) == {"Paris", "Oslo"}
    assert found["Paris"] == pytest.approx(2 / 3, abs=0.1), "answers are drawn as often as they occur"
    assert set(drawn("a2")) == {"roma", "Bonn", "Paris"}


def test_two_names_of_one_thing_are_never_false_for_each_other() -> None:
    """By the Wikidata id, also where only another fact tells it: Maine's answer has none of its own."""
    answers = {"California": "United States of America", "Texas": "USA", "Maine": "USA", "Bavaria": "Germany"}
    ids = {"California": "Q30", "Texas": "Q30", "Maine": "", "Bavaria": "Q183"}
    facts = facts_table([(name, name, "P17", None, [answer]) for name, answer in answers.items()])
    statements = make_statements(facts.assign(answer_ids=[[ids[name]] for name in facts["subject"]]), facts, 0)
    false = statements[~statements["truth"]].groupby("subject")["answer"].agg(set).to_dict()
    american = {"United States of America", "USA"}
    assert false.keys() == ids.keys()
    assert false.pop("Bavaria") <= american
    assert set.union(*false.values()) == {"Germany"}
    without = make_statements(facts.assign(answer_ids=[[""]] * len(facts)), facts, 0)
    assert set(without[~without["truth"]]["answer"]) & american, "without ids nobody knows"


def test_a_fact_without_a_false_answer_is_left_out() -> None:
    assert drawn("d1") == [None] * 300
    statements = make_statements(FACTS, FACTS, 0)
    assert set(statements["fact_id"]) == set(FACTS["fact_id"]) - {"c1", "d1"}
    assert make_statements(FACTS, FACTS.iloc[:0], 0).empty


def test_every_fact_has_a_true_and_one_false_statement_in_both_wordings() -> None:
    statements = make_statements(FACTS, FACTS[FACTS["relation"] == "P1"], 0)
    assert statements["statement"].is_unique
    for _, group in statements.groupby("fact_id"):
        assert sorted(zip(group["wording"], group["truth"], strict=True)) == [
            ("complex", False),
            ("complex", True),
            ("triple", False),
            ("triple", True),
        ]
        assert group[~group["truth"]]["answer"].nunique() == 1
    row = statements[(statements["fact_id"] == "a2") & statements["truth"]].set_index("wording")
    assert row.loc["triple", ["prompt", "answer"]].tolist() == ["The home of A is", "Oslo"]
    assert row.loc["complex", "prompt"] == "If you look for A, go to"
    shuffled = make_statements(FACTS.sample(frac=1, random_state=0), FACTS[FACTS["relation"] == "P1"][::-1], 0)
    left, right = (frame.sort_values("statement", ignore_index=True) for frame in (statements, shuffled))
    pd.testing.assert_frame_equal(left, right)


def test_a_sample_of_whole_subjects_is_stated_in_the_complex_wording_too() -> None:
    rows = [(f"{n}", f"s{n // 2}", "P1", f"{n}", [f"w{n}"]) for n in range(40)]
    frame = facts_table(rows).set_index("fact_id", drop=False)
    members = dict.fromkeys(frame.index, NO_NEURONS)
    found = sampled_statements(frame, members, None, 10, 0)
    facts = found.groupby("wording")["fact_id"].unique()
    assert set(facts["triple"]) == set(frame.index)
    assert len(facts["complex"]) == 10
    assert frame.loc[facts["complex"], "subject"].value_counts().eq(2).all()
    assert set(facts["complex"]) == set(sampled_statements(frame, members, 10, None, 0)["fact_id"])


def test_a_wording_of_a_fact_is_asked_as_a_whole_or_left_out(language_model: LanguageModel) -> None:
    """Where only the false answer is too long, the true statement is left out, too, and one reason stands for both."""
    long = " ".join(["w3"] * 40)
    asked = [
        (f"{fact}\x1f{wording}\x1f{truth}", "a1", answer)
        for fact, false in (("f", long), ("g", "w4"))
        for wording in ("triple", "complex")
        for truth, answer in ((True, "w3"), (False, false if wording == "triple" else "w5"))
    ]
    encoded, left_out = encode_by_wording(language_model, asked)
    assert list(encoded) == [name for name, _, _ in asked if not name.startswith("f\x1ftriple")]
    (reason,) = left_out
    assert reason.startswith("fact f (triple, False): 41 tokens exceed")
