"""Which facts fine-tuning teaches, which it must not forget, and what is asked (docs/method.md)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from dkn.facts.schema import TRAINED_PARAPHRASES
from dkn.randomness import generator
from dkn.study.names import AUGMENTED, DEVELOPMENT, NEW, OLD, TEST


@dataclass(frozen=True)
class TuningFactsSettings:
    """``new_facts`` and ``old_facts`` at most; the share ``development`` of both chooses rates and epochs."""

    new_facts: int
    old_facts: int
    development: float
    seed: int


@dataclass(frozen=True)
class Question:
    """A prompt and the answer that counts as right after training; ``wording`` numbers the fact's prompts."""

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
        return f"{self.fact_id}\x1f{self.split}\x1f{self.wording}"


def counterfactual(fact: pd.Series, facts: pd.DataFrame, seed: int) -> str | None:
    """An answer that other subjects have in the fact's relation and this subject has at no time; None if there is none.

    Args:
        fact: a row of ``facts``.
        facts: all facts of the study with columns fact_id, subject, relation, answers.
    """
    same = facts[facts["relation"] == fact["relation"]]
    own = same.loc[same["subject"] == fact["subject"], "answers"]
    true = {answer.casefold() for answers in own for answer in answers}
    others = sorted({answers[0] for answers in same["answers"] if answers[0].casefold() not in true})
    return others[int(generator(seed, "counterfactual", fact["fact_id"]).integers(len(others)))] if others else None


def _one_per_subject(facts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One fact of every subject, both the fact and the order of the subjects drawn by their own names."""
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
    """New facts (false answers for degenerate facts), their unseen paraphrases, and old facts of other subjects.

    One fact per subject, so that no two contradict each other or count double.

    Args:
        facts: all facts with the columns of ``tables.FACTS`` and ``tables.KNOWN``.
        degenerate: ids of the facts with two or more base degenerate components.
        settings: how many.
    Returns:
        Questions in an order that depends on the seed and the facts' names alone; empty where no fact qualifies.
    """
    known = facts[facts["known"]]
    asked: list[Question] = []
    new = _one_per_subject(known[known["fact_id"].isin(degenerate)], settings.seed)
    new = new.assign(false=[counterfactual(fact, facts, settings.seed) for _, fact in new.iterrows()])
    new = new[new["false"].notna()].head(settings.new_facts)
    for place, (_, fact) in enumerate(new.iterrows()):
        role = DEVELOPMENT if place < settings.development * len(new) else TEST
        asked += _questions(fact, role, NEW, [fact["prompt"]], fact["false"])
        asked += _questions(fact, role, AUGMENTED, fact["paraphrases"][TRAINED_PARAPHRASES:], fact["false"])
    old = _one_per_subject(known[~known["subject"].isin(new["subject"])], settings.seed).head(settings.old_facts)
    for place, (_, fact) in enumerate(old.iterrows()):
        role = DEVELOPMENT if place < settings.development * len(old) else TEST
        asked += _questions(fact, role, OLD, [fact["prompt"]], fact["answer"])
    return asked
