"""Statements to check: a fact with a stated answer, true or false (docs/method.md)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dkn.decoder.encoded_facts import EncodedFact, encode
from dkn.decoder.loading import LanguageModel
from dkn.facts.sampling import sample_by_subject
from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator

WORDINGS = {"triple": "prompt", "complex": "complex"}  # and the columns of facts that hold them
STATEMENT = ["fact_id", "subject", "relation", "split", "wording", "prompt", "answer", "truth", "statement"]


def false_answer(fact: pd.Series, relation: pd.DataFrame, draw: np.random.Generator) -> str | None:
    """An answer of another subject's fact of the same relation that is not accepted here; None if there is none.

    Answers are drawn as often as they occur, so that a true and a false answer are equally common.

    Args:
        fact: a row of facts, with the columns of ``tables.FACTS`` and ``answer``.
        relation: all facts of its relation.
    """
    same_date = relation["date"].isna() if pd.isna(fact["date"]) else relation["date"] == fact["date"]
    same = relation[(relation["subject"] == fact["subject"]) & same_date]
    accepted = {answer.casefold() for answers in (fact["answers"], *same["answers"]) for answer in answers}
    others = relation[relation["subject"] != fact["subject"]].sort_values("fact_id")["answer"]
    candidates = [answer for answer in others if answer.casefold() not in accepted]
    return str(draw.choice(candidates)) if candidates else None


def make_statements(facts: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A true and a false statement of every chosen fact in both wordings; facts without a false answer are left out.

    Returns:
        Columns as in ``STATEMENT``; ``statement`` is a unique id.
    """
    relations = dict(list(facts.groupby("relation")))
    rows = []
    for _, fact in chosen.iterrows():
        draw = generator(seed, "fact-checking/false-answer", fact["fact_id"])
        wrong = false_answer(fact, relations[fact["relation"]], draw)
        if wrong is None:
            continue
        about = {name: fact[name] for name in ("fact_id", "subject", "relation", "split")}
        for wording, column in WORDINGS.items():
            for answer, truth in ((fact["answer"], True), (wrong, False)):
                statement = f"{fact['fact_id']}\x1f{wording}\x1f{truth}"
                shown = {"wording": wording, "prompt": fact[column], "answer": answer, "truth": truth}
                rows.append({**about, **shown, "statement": statement})
    return pd.DataFrame(rows, columns=STATEMENT)


def as_records(statements: pd.DataFrame, scores: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Statements joined with their scores, sorted, with the columns of ``tables.FACT_CHECKING``."""
    joined = scores.merge(statements, on="statement", validate="many_to_one")
    joined = joined.sort_values(["detector", "neurons", "wording", "fact_id", "truth"], ignore_index=True)
    return joined.reindex(columns=list(columns))


def sampled_statements(
    frame: pd.DataFrame, members: dict[str, NeuronSet], limit: int | None, seed: int
) -> pd.DataFrame:
    """Statements of at most about ``limit`` facts that have knowledge neurons; ``frame`` holds all facts."""
    chosen = sample_by_subject(frame.loc[sorted(members)], limit, seed, "fact-checking/sample")
    return make_statements(frame.reset_index(drop=True), chosen, seed)


def encoded_statements(model: LanguageModel, statements: pd.DataFrame) -> dict[str, EncodedFact]:
    """Every statement in tokens."""
    return {
        row.statement: encode(model, row.statement, row.prompt, row.answer)
        for row in statements.itertuples(index=False)
    }
