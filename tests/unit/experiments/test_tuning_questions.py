"""Which facts fine-tuning teaches and keeps: false answers, disjoint subjects, no dependence on order."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from dkn.experiments.tuning_questions import Question, TuningFactsSettings, choose_questions, counterfactual
from dkn.facts.same_answers import SameAnswers
from dkn.facts.schema import TRAINED_PARAPHRASES
from dkn.study.names import AUGMENTED, DEVELOPMENT, NEW, OLD, TEST

SETTINGS = TuningFactsSettings(new_facts=8, old_facts=12, development=0.25, seed=0)


def made_facts(subjects: int = 40, years: int = 3) -> pd.DataFrame:
    """Years of subjects in two relations; a subject's answer changes with the year, every seventh is not known."""
    rows = [
        {
            "fact_id": f"s{subject}-{year}",
            "subject": f"s{subject}",
            "relation": f"P{subject % 2}",
            "answer_ids": ["", ""],
            "answers": [f"a{subject % 2}-{(subject + year) % 9}", f"alias{subject % 2}-{(subject + year) % 9}"],
            "prompt": f"In 20{year}, s{subject} is",
            "paraphrases": [f"wording {number} of s{subject} in {year}" for number in range(TRAINED_PARAPHRASES + 2)],
            "answer": f"alias{subject % 2}-{(subject + year) % 9}",
            "known": subject % 7 != 0,
        }
        for subject in range(subjects)
        for year in range(years)
    ]
    return pd.DataFrame(rows)


FACTS = made_facts()
DEGENERATE = {f"s{subject}-{year}" for subject in range(0, 40, 3) for year in range(2)}


def false_answer(fact: pd.Series, facts: pd.DataFrame) -> str | None:
    return counterfactual(fact, facts, SameAnswers(facts), SETTINGS.seed)


def questions(facts: pd.DataFrame = FACTS, settings: TuningFactsSettings = SETTINGS) -> list[Question]:
    return choose_questions(facts, DEGENERATE, settings)


def of_split(split: str) -> list[Question]:
    return [question for question in questions() if question.split == split]


def test_new_answers_are_false_at_all_times_and_of_the_same_relation() -> None:
    by_relation = {name: {row[0] for row in rows["answers"]} for name, rows in FACTS.groupby("relation")}
    true = {name: {a for row in rows["answers"] for a in row} for name, rows in FACTS.groupby("subject")}
    for _, fact in FACTS.iterrows():
        answer = false_answer(fact, FACTS)
        assert answer in by_relation[fact["relation"]]
        assert answer not in true[fact["subject"]]
    assert len(of_split(NEW)) == 8
    by_fact = FACTS.set_index("fact_id", drop=False)
    for question in of_split(NEW):
        assert question.fact_id in DEGENERATE
        assert question.answer == false_answer(by_fact.loc[question.fact_id], FACTS)


def test_a_relation_with_one_answer_has_no_false_one() -> None:
    facts = FACTS.assign(answers=[["Only"], ["ONLY"], ["only"]] * 40, answer_ids=[[""]] * 120)
    assert false_answer(facts.iloc[0], facts) is None
    assert questions(facts) == [question for question in questions(facts) if question.split == OLD]


def test_another_name_of_the_true_answer_is_not_taught() -> None:
    facts = FACTS.assign(answers=[["USA"], ["United States"], ["America"]] * 40, answer_ids=[["Q30"]] * 120)
    assert {false_answer(fact, facts) for _, fact in facts.iterrows()} == {None}


def test_subjects_are_disjoint_and_count_once() -> None:
    new, old = ([question.subject for question in of_split(split)] for split in (NEW, OLD))
    assert len(old) == 12
    assert max(Counter(new + old).values()) == 1
    assert all(int(subject[1:]) % 7 for subject in new + old), "facts that the model does not know"
    assert {question.answer for question in of_split(OLD)} <= set(FACTS["answer"])


def test_augmented_questions_are_the_unseen_paraphrases_of_the_new_facts() -> None:
    by_fact = FACTS.set_index("fact_id")["paraphrases"]
    answers = {question.fact_id: (question.answer, question.role) for question in of_split(NEW)}
    found = of_split(AUGMENTED)
    assert len(found) == 2 * len(answers)
    for question in found:
        assert question.prompt == by_fact[question.fact_id][TRAINED_PARAPHRASES + question.wording]
        assert (question.answer, question.role) == answers[question.fact_id]


@pytest.mark.parametrize(("split", "development"), [(NEW, 2), (OLD, 3)])
def test_the_share_of_development(split: str, development: int) -> None:
    counts = Counter(question.role for question in of_split(split))
    assert counts[DEVELOPMENT] == development
    assert counts[TEST] == len(of_split(split)) - development


def test_order_does_not_matter_and_the_seed_does() -> None:
    shuffled = FACTS.sample(frac=1, random_state=1)
    assert choose_questions(shuffled, list(DEGENERATE), SETTINGS) == questions()
    other = TuningFactsSettings(8, 12, 0.25, seed=1)
    assert questions(settings=other) != questions()


def test_without_degenerate_facts_nothing_is_new() -> None:
    assert {question.split for question in choose_questions(FACTS, set(), SETTINGS)} == {OLD}
