"""Which facts a model knows.

A fact is *known* when its prompt is answered (``dkn.decoder.recall``) and, where the study asks for it, its *unseen
wordings* are too: the paraphrases that nano models are not trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dkn.decoder.encoded_facts import SEPARATOR, EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import Recall, recall
from dkn.errors import UserError
from dkn.facts.schema import TRAINED_PARAPHRASES
from dkn.progress import progress
from dkn.storage.schemas import KNOWN

WORDINGS = ("seen", "unseen")  # in which a known fact is answered: its prompt, or its unseen wordings too


def _row(fact_id: str, answer: str, recalled: Recall, tokens: EncodedFact) -> dict[str, Any]:
    """Return one fact's row of ``schemas.KNOWN``, without what its unseen wordings decide.

    Args:
        answer: the accepted answer that stands for the fact.
        recalled: the model's recall of that answer.
        tokens: the prompt and that answer as token ids.
    """
    log_prob = float(recalled.log_probs.sum())
    return {
        "fact_id": fact_id,
        "answer": answer,
        "answered": recalled.answered,
        "log_prob": log_prob,
        "prob": float(np.exp(log_prob)),
        "geometric_mean_prob": float(np.exp(log_prob / len(tokens.answer))),
        "first_token_rank": int(recalled.ranks[0]),
        "prompt_tokens": len(tokens.prompt),
        "answer_tokens": len(tokens.answer),
    }


def _recall_each(
    model: LanguageModel, group: Sequence[EncodedFact], left_out: dict[str, str] | None
) -> dict[str, Recall]:
    """Return how the model answers each of a batch by id; where the batch fails, each alone decides.

    Args:
        left_out: gets the reason of each that fails by the id of its fact; None lets the first failure pass.
    """
    try:
        return dict(zip((fact.fact_id for fact in group), recall(model, group), strict=True))
    except UserError as error:
        if left_out is None:
            raise
        if len(group) > 1:
            parts = [_recall_each(model, [fact], left_out) for fact in group]
            return {name: found for part in parts for name, found in part.items()}
        left_out.setdefault(group[0].fact_id.split(SEPARATOR)[0], str(error).removeprefix("fact "))
        return {}


def _recall_all(
    model: LanguageModel, asked: Iterable[EncodedFact], batch: int, left_out: dict[str, str] | None, what: str
) -> dict[str, Recall]:
    """Return how the model answers each of many facts by id; see ``_recall_each``."""
    recalls: dict[str, Recall] = {}
    for group in progress(list(batches(list(asked), batch)), what, unit="batch"):
        recalls.update(_recall_each(model, group, left_out))
    return recalls


def _answered_unseen(
    model: LanguageModel, facts: pd.DataFrame, answers: dict[str, str], batch: int, left_out: dict[str, str] | None
) -> set[str]:
    """Return the ids of the facts of which the model gives the answer in every unseen wording.

    Args:
        answers: the answer by the id of every fact that is asked.
    """
    asked = {
        row.fact_id: [
            encode(model, f"{row.fact_id}{SEPARATOR}paraphrase {number}", prompt, answers[row.fact_id])
            for number, prompt in enumerate(row.paraphrases[TRAINED_PARAPHRASES:], TRAINED_PARAPHRASES + 1)
        ]
        for row in facts.itertuples(index=False)
        if row.fact_id in answers
    }
    wordings = (wording for of_fact in asked.values() for wording in of_fact)
    recalls = _recall_all(model, wordings, batch, left_out, "unseen wordings")
    answered = {name for name, found in recalls.items() if found.answered}
    return {name for name, of_fact in asked.items() if all(wording.fact_id in answered for wording in of_fact)}


def known_facts(
    model: LanguageModel,
    facts: pd.DataFrame,
    batch: int,
    left_out: dict[str, str] | None = None,
    wording: str = "seen",
) -> pd.DataFrame:
    """Test which facts a model knows, by every accepted answer of every fact.

    The unseen wordings are asked for the one answer that the prompt gets, and for no fact without one.

    Args:
        facts: one row per fact; columns fact_id, prompt, paraphrases, and answers, the list of accepted answers.
        batch: the number of answers that are computed at once.
        left_out: gets the reason by the id of each fact whose probabilities are not finite, which then has no row; None
            makes such a fact an error.
        wording: one of ``WORDINGS``, in which a known fact is answered.
    Returns:
        One row per fact, columns as in ``schemas.KNOWN``, about the first accepted answer that greedy decoding gives,
        or about the first accepted answer of all where it gives none.
    Raises:
        UserError: the wording is unknown, and as ``dkn.decoder.encoded_facts.encode`` and ``recall`` raise it.
    """
    if wording not in WORDINGS:
        raise UserError(f"unknown wording {wording!r}; allowed: {', '.join(WORDINGS)}")
    encoded = {
        (row.fact_id, number): encode(model, f"{row.fact_id}{SEPARATOR}{number}", row.prompt, answer)
        for row in facts.itertuples(index=False)
        for number, answer in enumerate(row.answers)
    }
    recalls = _recall_all(model, encoded.values(), batch, left_out, "known facts")
    rows = []
    for row in facts.itertuples(index=False):
        if left_out and row.fact_id in left_out:
            continue
        tokens = [encoded[row.fact_id, number] for number in range(len(row.answers))]
        chosen = next((number for number, answer in enumerate(tokens) if recalls[answer.fact_id].answered), 0)
        rows.append(_row(row.fact_id, row.answers[chosen], recalls[tokens[chosen].fact_id], tokens[chosen]))
    answers = {row["fact_id"]: row["answer"] for row in rows if row["answered"]}
    unseen = _answered_unseen(model, facts, answers, batch, left_out)
    for row in rows:
        row["answered_unseen"] = row["fact_id"] in unseen
        row["known"] = row["answered_unseen"] if wording == "unseen" else row["answered"]
    kept = [row for row in rows if not left_out or row["fact_id"] not in left_out]
    return pd.DataFrame(kept, columns=KNOWN.names)
