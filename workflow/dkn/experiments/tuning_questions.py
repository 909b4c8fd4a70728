"""The questions of the fine-tuning experiment (docs/method.md).

New facts are taught with a false (counterfactual) answer. Augmented questions are paraphrases of new facts that the
training does not show. Old facts are those of other subjects, which the model must not forget. The development facts
of each kind choose learning rates and epochs; the test facts give the reported numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from dkn.facts.same_answers import SameAnswers
from dkn.facts.schema import TRAINED_PARAPHRASES
from dkn.randomness import generator
from dkn.study.names import AUGMENTED, DEVELOPMENT, NEW, OLD, TEST


@dataclass(frozen=True)
class TuningFactsSettings:
    """The settings that choose the questions.

    Attributes:
        new_facts, old_facts: the largest numbers of new and of old facts.
        development: the share of both, between 0 and 1, that chooses learning rates and epochs.
        seed: the seed of the study.
    """

    new_facts: int
    old_facts: int
    development: float
    seed: int


@dataclass(frozen=True)
class Question:
    """A prompt, and the answer that counts as right after training.

    Attributes:
        fact_id, subject, relation: the fact that is asked for.
        role: ``development`` or ``test``.
        split: the kind of question: ``new``, ``augmented`` or ``old``.
        wording: the number of the prompt among those of the same fact and split.
        prompt: the prompt.
        answer: the answer without a leading space.
    """

    fact_id: str
    subject: str
    relation: str
    role: str
    split: str
    wording: int
    prompt: str
    answer: str

    @property
    def key(self) -> str:
        """A string that identifies the question among all questions of a study."""
        return f"{self.fact_id}\x1f{self.split}\x1f{self.wording}"


def counterfactual(fact: pd.Series, facts: pd.DataFrame, same_answers: SameAnswers, seed: int) -> str | None:
    """Draw a false answer to teach: one that other subjects have in the fact's relation, and its subject at no time.

    Args:
        fact: a row of ``facts``.
        facts: all facts of the study, with columns fact_id, subject, relation and answers.
        same_answers: which of the facts' answers mean the same.
        seed: the seed of the study, which keys the draw together with the fact's id.
    Returns:
        The answer, which is no other name of a true one; or None if there is none.
    """
    same = facts[facts["relation"] == fact["relation"]]
    subject_answers = same.loc[same["subject"] == fact["subject"], "answers"]
    true = [answer for answers in subject_answers for answer in answers]
    others = sorted(set(same_answers.others((answers[0] for answers in same["answers"]), true)))
    return others[int(generator(seed, "counterfactual", fact["fact_id"]).integers(len(others)))] if others else None


def _one_per_subject(facts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return one fact of every subject; the fact and the order of the subjects are drawn by fact id and by name."""
    draws = [
        (generator(seed, "fine-tuning/subject", subject).random(), generator(seed, "fine-tuning/fact", fact).random())
        for subject, fact in zip(facts["subject"], facts["fact_id"], strict=True)
    ]
    ordered = facts.iloc[sorted(range(len(draws)), key=draws.__getitem__)]
    return ordered.drop_duplicates("subject")


def _questions(fact: pd.Series, role: str, split: str, prompts: Sequence[str], answer: str) -> list[Question]:
    about = (fact["fact_id"], fact["subject"], fact["relation"], role, split)
    return [Question(*about, wording, prompt, answer) for wording, prompt in enumerate(prompts)]


def choose_questions(facts: pd.DataFrame, degenerate: Collection[str], settings: TuningFactsSettings) -> list[Question]:
    """Choose the questions about new facts, about unseen paraphrases of them, and about old facts.

    New facts are known, degenerate facts with a false answer; old facts are known facts of other subjects. There is one
    fact per subject, so that no two new facts contradict each other and no subject counts twice.

    Args:
        facts: all facts, with the columns of ``schemas.FACTS`` and ``schemas.KNOWN``.
        degenerate: the ids of the facts with two or more base degenerate components.
        settings: the numbers of facts, the share of development facts, and the seed.
    Returns:
        Questions, in an order that depends on nothing but the seed and the names of facts and subjects; empty where no
        fact qualifies.
    """
    known = facts[facts["known"]]
    asked: list[Question] = []
    new = _one_per_subject(known[known["fact_id"].isin(degenerate)], settings.seed)
    same_answers = SameAnswers(facts)
    new = new.assign(false=[counterfactual(fact, facts, same_answers, settings.seed) for _, fact in new.iterrows()])
    new = new[new["false"].notna()].head(settings.new_facts)
    for index, (_, fact) in enumerate(new.iterrows()):
        role = DEVELOPMENT if index < settings.development * len(new) else TEST
        asked += _questions(fact, role, NEW, [fact["prompt"]], fact["false"])
        asked += _questions(fact, role, AUGMENTED, fact["paraphrases"][TRAINED_PARAPHRASES:], fact["false"])
    old = _one_per_subject(known[~known["subject"].isin(new["subject"])], settings.seed).head(settings.old_facts)
    for index, (_, fact) in enumerate(old.iterrows()):
        role = DEVELOPMENT if index < settings.development * len(old) else TEST
        asked += _questions(fact, role, OLD, [fact["prompt"]], fact["answer"])
    return asked
