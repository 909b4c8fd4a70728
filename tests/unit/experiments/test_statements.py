"""True and false statements of facts: which answers are false, and that both wordings have the same ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from dkn.experiments.fact_checking import relation_sets
from dkn.experiments.statements import (
    StatementSettings,
    encode_by_wording,
    false_answer,
    make_statements,
    sampled_statements,
    with_split,
)
from dkn.facts.same_answers import SameAnswers
from dkn.facts.schema import prompt
from dkn.neurons.sets import NO_NEURONS, NeuronSet
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


@pytest.mark.parametrize("name", ["test_facts", "false_answer", "wording_complex"])
def test_a_switch_has_two_positions(name: str) -> None:
    with pytest.raises(UserError, match=f"unknown {name} 'yes'; allowed: "):
        StatementSettings(**{name: "yes"})
    assert StatementSettings() == StatementSettings("held-out", "rejected", "named")


AT_RANDOM = StatementSettings(test_facts="at-random")


def relations_of(sizes: dict[str, int]) -> pd.DataFrame:
    """Facts of relations of these sizes, two years a subject, in no order."""
    rows = [(f"{name}-{n}", f"s{n // 2}", name, f"{n}", ["w"]) for name, size in sizes.items() for n in range(size)]
    return facts_table(rows).set_index("fact_id", drop=False).sample(frac=1, random_state=1)


def test_one_in_a_hundred_facts_of_every_relation_is_for_testing() -> None:
    """Of fewer than a hundred one is; whatever the order of the rows, and whatever other relations there are."""
    frame = relations_of({"P1": 1, "P2": 99, "P3": 250, "P4": 400})
    found = with_split(frame, AT_RANDOM, 0)
    assert set(found["split"]) == {"train", "test"}
    counts = {name: sum(of["split"] == "test") for name, of in found.groupby("relation")}
    assert counts == {"P1": 1, "P2": 1, "P3": 2, "P4": 4}
    pd.testing.assert_frame_equal(found.drop(columns="split"), frame.drop(columns="split"))
    alone = with_split(frame[frame["relation"] == "P4"].sort_index(), AT_RANDOM, 0)
    assert alone["split"].to_dict() == found.loc[alone.index, "split"].to_dict()
    assert set(with_split(frame, AT_RANDOM, 1).query("split == 'test'").index) != set(
        found.query("split == 'test'").index
    )
    assert with_split(frame, StatementSettings(), 0) is frame


def test_every_fact_is_as_likely_a_test_fact_and_subjects_are_shared() -> None:
    frame = relations_of({"P1": 20})
    chosen = [with_split(frame, AT_RANDOM, seed).query("split == 'test'")["fact_id"].item() for seed in range(2000)]
    times = pd.Series(chosen).value_counts()
    assert len(times) == 20
    assert times.between(55, 150).all(), "100 times each, and four and a half standard deviations"
    split = with_split(frame, AT_RANDOM, 0)
    test = split[split["split"] == "test"]
    assert test["subject"].isin(split.loc[split["split"] == "train", "subject"]).all()


def test_statements_and_relation_sets_take_the_split_they_are_given() -> None:
    frame = with_split(relations_of({"P1": 40}).assign(answer=lambda table: table["fact_id"]), AT_RANDOM, 3)
    test = frame.query("split == 'test'")["fact_id"].item()
    members = {name: NeuronSet(np.array([0]), np.array([int(name == test)])) for name in frame.index}
    statements = sampled_statements(frame, members, None, None, 0, AT_RANDOM)
    assert set(statements.query("split == 'test'")["fact_id"]) == {test}
    assert relation_sets(members, frame, 9)["P1"].neurons.tolist() == [0]


def test_any_other_object_is_false_where_the_settings_say_so() -> None:
    """Other names of the answer, and what the same subject accepts at the same date, as often as facts state them."""
    settings = StatementSettings(false_answer="any-other")
    of_relation = FACTS[FACTS["relation"] == "P1"]
    drawn = [make_statements(FACTS, of_relation[:1], seed, settings) for seed in range(400)]
    assert all((one.loc[one["truth"], "answer"] == "Rome").all() for one in drawn)
    found = pd.Series([one.loc[~one["truth"], "answer"].unique().item() for one in drawn]).value_counts(normalize=True)
    stated = ["Oslo", "Bonn", "roma", "Bonn", "Paris", "Paris", "Oslo"]  # of a2, a3, b1 to b5
    assert set(found.index) == set(stated)
    for name in set(stated):
        assert found[name] == pytest.approx(stated.count(name) / 7, abs=0.09), name
    of_all = make_statements(FACTS, FACTS, 0, settings)
    assert set(of_all["fact_id"]) == set(of_relation["fact_id"]), "all facts of P2 state Basel"
    with_other = FACTS.assign(answer=[*FACTS["answer"][:-1], "Bern"])
    for fact in (with_other.iloc[-2:-1], with_other.iloc[-1:]):  # the second accepts both
        assert set(make_statements(with_other, fact, 0, settings)["answer"]) == {"Basel", "Bern"}


TEMPLATES = yaml.safe_load((Path(__file__).parents[3] / "resources" / "facts" / "templates.yaml").read_text())
SUBJECTS = ["Angela Merkel", "the BBC", "The Who", "In", "2012", "Yahoo!", "C++ (band)", "eBay", "It"]
BEGINNING = "{subject} has, as all know, the head coach _X_."


@pytest.mark.parametrize("date", ["2012", None])
def test_unnamed_prompts_are_the_templates_with_a_pronoun(date: str | None) -> None:
    """By plain code: the pronoun is put into the template, and the first letter raised where there is no year."""
    for template in [*(wordings["complex"] for wordings in TEMPLATES.values()), BEGINNING]:
        text = template.replace("{subject}", "it").partition(" _X_")[0]
        expected = f"In {date}, {text}" if date else text[0].upper() + text[1:]
        rows = [(f"{n}", subject, "P1", date, [f"w{n}"]) for n, subject in enumerate(SUBJECTS)]
        facts = facts_table(rows)
        facts["complex"] = [prompt(template, subject, date) for subject in SUBJECTS]
        named = make_statements(facts, facts, 0)
        found = make_statements(facts, facts, 0, StatementSettings(wording_complex="unnamed"))
        assert set(found.loc[found["wording"] == "complex", "prompt"]) == {expected}
        triple = found["wording"] == "triple"
        pd.testing.assert_frame_equal(found[triple], named[triple])
        pd.testing.assert_frame_equal(found.drop(columns="prompt"), named.drop(columns="prompt"))


def test_names_in_scripts_without_spaces_are_replaced_too() -> None:
    facts = facts_table([("1", "東京", "P1", None, ["w1"]), ("2", "京都", "P1", None, ["w2"])])
    facts["complex"] = [f"旅行者が{subject}で" for subject in facts["subject"]]
    found = make_statements(facts, facts, 0, StatementSettings(wording_complex="unnamed"))
    assert set(found.loc[found["wording"] == "complex", "prompt"]) == {"旅行者がitで"}
