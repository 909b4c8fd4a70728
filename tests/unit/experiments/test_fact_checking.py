"""Fact-checking: statements, neuron sets, few-shot prompts, and detection on a planted model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
from dkn.experiments.fact_checking import StatementSet, attribution_records, relation_sets
from dkn.experiments.fact_checking_plm import choose_shots, fitting_shots, truth_prompts
from dkn.experiments.statements import as_records, false_answer, make_statements
from dkn.facts.sampling import sample_by_subject
from dkn.neurons.sets import NeuronSet, random_like
from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import FACT_CHECKING
from dkn.summaries.fact_checking import summarise
from tests.unit import planted

STATISTICS = StatisticsSettings(resamples=1000, confidence=0.95, seed=0)


def facts_table(rows: list[tuple[str, str, str, str | None, list[str]]]) -> pd.DataFrame:
    """Facts from (id, subject, relation, date, accepted answers), in turn of the training and the test split."""
    frame = pd.DataFrame(rows, columns=["fact_id", "subject", "relation", "date", "answers"])
    subjects = {name: place for place, name in enumerate(dict.fromkeys(frame["subject"]))}
    return frame.assign(
        answer=[answers[0] for answers in frame["answers"]],
        prompt=[f"The home of {subject} is" for subject in frame["subject"]],
        complex=[f"If you look for {subject}, go to" for subject in frame["subject"]],
        split=[("train", "test")[subjects[subject] % 2] for subject in frame["subject"]],
    )


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
    return [false_answer(fact, relation, np.random.default_rng(seed)) for seed in range(300)]


def test_false_answers_are_of_the_relation_and_accepted_by_no_fact_of_subject_and_date() -> None:
    """Rome, Roma and Bonn are accepted at a1's date, whatever the capitals; Oslo, A's answer of 2011, is false then."""
    found = pd.Series(drawn("a1")).value_counts(normalize=True)
    assert set(found.index) == {"Paris", "Oslo"}
    assert found["Paris"] == pytest.approx(2 / 3, abs=0.1), "answers are drawn as often as they occur"
    assert set(drawn("a2")) == {"roma", "Bonn", "Paris"}


def test_a_fact_without_a_false_answer_is_left_out() -> None:
    assert drawn("d1") == [None] * 300
    statements = make_statements(FACTS, FACTS, 0)
    assert set(statements["fact_id"]) == set(FACTS["fact_id"]) - {"c1", "d1"}
    assert make_statements(FACTS, FACTS.iloc[:0], 0).empty


def test_every_fact_has_a_true_and_the_same_false_statement_in_both_wordings() -> None:
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


def test_samples_are_whole_subjects_whatever_the_order() -> None:
    frame = facts_table([(f"{n}", f"s{n // 4}", "P1", None, ["x"]) for n in range(80)])
    found = sample_by_subject(frame, 30, 0, "fact-checking/sample")
    assert len(found) == 32
    assert (found.groupby("subject").size() == 4).all()
    shuffled = sample_by_subject(frame.sample(frac=1, random_state=1), 30, 0, "fact-checking/sample")
    assert set(shuffled["fact_id"]) == set(found["fact_id"])
    assert set(sample_by_subject(frame, 30, 1, "fact-checking/sample")["fact_id"]) != set(found["fact_id"])
    assert (
        len(sample_by_subject(frame, None, 0, "fact-checking/sample"))
        == len(sample_by_subject(frame, 80, 0, "fact-checking/sample"))
        == 80
    )


def test_relation_sets_count_training_subjects_and_never_see_a_test_subject() -> None:
    """One subject's many years do not outvote two subjects; the neuron of all test facts is not there."""
    frame = pd.DataFrame(
        {
            "relation": ["P1"] * 6 + ["P2"],
            "subject": ["A", "A", "A", "B", "T", "T", "T"],
            "split": ["train"] * 4 + ["test"] * 3,
        },
        index=["a1", "a2", "a3", "b1", "t1", "t2", "t3"],
    )
    neurons = {"a1": [(0, 1), (1, 5)], "a2": [(0, 1)], "a3": [(0, 1), (0, 2)], "b1": [(1, 5), (0, 2)]}
    neurons |= {name: [(2, 9), (0, 1)] for name in ("t1", "t2", "t3")}
    members = {name: NeuronSet(*np.array(pairs).T) for name, pairs in neurons.items()}
    found = relation_sets(members, frame, 2)
    assert set(found) == {"P1"}
    assert list(zip(found["P1"].layers, found["P1"].neurons, strict=True)) == [(0, 2), (1, 5)]
    whole = relation_sets(members, frame, 9)["P1"]
    assert list(zip(whole.layers, whole.neurons, strict=True)) == [(0, 2), (1, 5), (0, 1)]
    assert relation_sets({"t1": members["t1"]}, frame, 2) == {}


def test_examples_are_training_subjects_true_and_false_in_turn() -> None:
    frame = facts_table([(f"{n}", f"s{n // 2}", "P1", f"{n}", [f"w{n}"]) for n in range(40)])
    statements = make_statements(frame, frame, 0)
    triple = statements[statements["wording"] == "triple"]
    shots = choose_shots(triple, 4, 0)
    assert shots["truth"].tolist() == [True, False, True, False]
    assert set(shots["split"]) == {"train"}
    assert shots["subject"].is_unique
    assert choose_shots(triple[::-1], 4, 0)["statement"].tolist() == shots["statement"].tolist()
    assert len(choose_shots(triple, 99, 0)) == triple.loc[triple["split"] == "train", "subject"].nunique() // 2
    first, second = shots.iloc[0], shots.iloc[1]
    prompt = truth_prompts(shots.iloc[:2], triple.iloc[:1])[0]
    assert prompt == (
        f"{first.prompt} {first.answer}. True or false: true\n"
        f"{second.prompt} {second.answer}. True or false: false\n"
        f"{triple.iloc[0].prompt} {triple.iloc[0].answer}. True or false:"
    )
    for context, expected in ((1000, 4), (50, 4), (49, 2), (30, 2), (29, 0)):  # ten words each, verdicts included
        model = SimpleNamespace(
            tokenizer=lambda texts: {"input_ids": [text.split() for text in texts]},
            adapter=SimpleNamespace(context=context),
        )
        assert len(fitting_shots(model, shots, triple)) == expected, context


def planted_records(labels: str) -> pd.DataFrame:
    """Records of all three detectors on the planted model; ``labels`` ``random`` scores random neurons as the DKN."""
    tokenizer = SimpleNamespace(mask_token_id=0, eos_token_id=0)
    model = LanguageModel(planted.planted_model(6.0), tokenizer)
    rows, encoded, sets = [], {}, {}
    for number in range(planted.FACTS):
        name = f"f{number}"
        for answer, truth in ((number, True), ((number + 5) % planted.FACTS, False)):
            statement = f"{name}\x1f{truth}"
            about = {"fact_id": name, "subject": name, "relation": "P1", "split": ("train", "test")[number % 2]}
            rows.append({**about, "wording": "triple", "answer": f"{answer}", "truth": truth, "statement": statement})
            fact = planted.fact(number, answer=answer)
            encoded[statement] = EncodedFact(statement, fact.prompt, fact.answer)
        own = planted.carriers(number)
        random = random_like(own, planted.NEURONS, generator(0, "test", name))
        dkn = own if labels == "planted" else random_like(own, planted.NEURONS, generator(1, "test", name))
        sets[name] = [StatementSet("dkn", "own", dkn), StatementSet("random", "own", random)]
        sets[name].append(StatementSet("kn", "own", dkn))
    statements = pd.DataFrame(rows)
    scores = attribution_records(model, statements, encoded, sets, 5)
    again = attribution_records(model, statements[::-1], dict(reversed(encoded.items())), sets, 3)
    keys = ["statement", "detector"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (scores, again))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-7)
    return as_records(statements, scores, FACT_CHECKING.names)


def test_planted_neurons_tell_true_from_false_and_random_ones_do_not() -> None:
    records = planted_records("planted")
    assert set(records.columns) == set(FACT_CHECKING.names)
    summary = summarise(records, "dkn", STATISTICS)
    metric = {
        (row["detector"], row["metric"]): row["mean"] for row in summary["estimates"] if row["wording"] == "triple"
    }
    assert metric["dkn", "auroc"] == metric["dkn", "f1"] == metric["dkn", "balanced_accuracy"] == 1
    assert metric["random", "balanced_accuracy"] < 0.8
    assert all(row["sees_label"] for row in summary["estimates"])
    contrasts = {(row["second"], row["metric"]): row for row in summary["contrasts"]}
    assert contrasts["kn", "f1"]["difference"] == 0
    assert contrasts["kn", "f1"]["p_holm"] == 1
    assert contrasts["random", "balanced_accuracy"]["difference"] > 0.2
    assert summary["counts"] == {
        "facts": planted.FACTS,
        "train": 6,
        "test": 6,
        "with_own_neurons": planted.FACTS,
        "with_relation_neurons": 0,
    }


def test_random_labels_tell_nothing() -> None:
    summary = summarise(planted_records("random"), "dkn", STATISTICS)
    assert all(row["p_holm"] > 0.05 for row in summary["contrasts"])
    assert next(row["mean"] for row in summary["estimates"] if row["metric"] == "auroc") < 0.9


def test_thresholds_come_from_the_training_split_alone() -> None:
    """Test scores shifted by a constant change the test metrics and leave the threshold."""
    records = planted_records("planted")
    shifted = records.assign(score=records["score"].where(records["split"] == "train", records["score"] + 100))
    before, after = (summarise(frame, "dkn", STATISTICS)["estimates"] for frame in (records, shifted))
    assert [row["threshold"] for row in before] == [row["threshold"] for row in after]
    recall = {row["metric"]: row["mean"] for row in after if row["detector"] == "dkn"}
    assert recall["recall"] == 1
    assert recall["precision"] == 0.5
    assert recall["auroc"] == 1


def test_no_records_give_an_empty_summary() -> None:
    summary = summarise(planted_records("planted").iloc[:0], "dkn", STATISTICS)
    assert summary["estimates"] == summary["contrasts"] == []
