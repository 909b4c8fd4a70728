"""Which facts a model knows: its answers by greedy decoding, and their probabilities.

A fact is *known* when greedy decoding gives an accepted answer and does not go on with the same word. One pass over
the prompt and the answer decides it, because greedy decoding gives the answer exactly when each of its tokens is the
model's first choice after the tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.encoded_facts import SEPARATOR, EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError
from dkn.progress import progress
from dkn.storage.schemas import KNOWN

WORD_STARTS = ("Ġ", "▁")  # how byte-level BPE and SentencePiece write a leading space


@dataclass(frozen=True)
class Recall:
    """How a model answers one prompt.

    Attributes:
        log_probs: (answer tokens,), the log probability of each answer token after those before it, in nats.
        ranks: (answer tokens,), the rank of each answer token among all tokens; 0 is the first choice.
        known: whether greedy decoding gives exactly the answer, and then does not go on with the same word.
    """

    log_probs: np.ndarray
    ranks: np.ndarray
    known: bool


def _continues_word(model: LanguageModel, token: int) -> bool:
    """Tell whether a token after the answer would make a longer word of it, as "ian" would of "Paris"."""
    piece = model.tokenizer.convert_ids_to_tokens(token)
    if piece is None or piece.startswith(WORD_STARTS):
        return False
    first = model.tokenizer.decode([token])[:1]
    return first.isalnum() or first == "\N{REPLACEMENT CHARACTER}"  # some bytes of a letter


@torch.no_grad()
def recall(model: LanguageModel, facts: Sequence[EncodedFact]) -> list[Recall]:
    """Return how the model answers each of a batch of facts, from one pass over prompts and answers.

    Args:
        facts: facts whose answers have the same number of tokens.
    Raises:
        UserError: a probability is NaN or infinite, or a prompt with its answer is longer than the model's context.
    """
    adapter = model.adapter
    tokens = [fact.prompt + fact.answer for fact in facts]
    positions = [list(range(len(fact.prompt) - 1, len(row))) for fact, row in zip(facts, tokens, strict=True)]
    prefix = read_prompts(adapter, tokens, positions, cache=False)
    logits = adapter.unembed(adapter.final_norm(prefix.final))
    answers = torch.tensor([fact.answer for fact in facts], device=logits.device)
    log_probs = log_prob(log_odds_against(logits[:, :-1], answers).double())
    ranks = (logits[:, :-1] > logits[:, :-1].gather(-1, answers[..., None])).sum(-1)
    choice = logits.argmax(-1)
    for fact, finite in zip(facts, log_probs.isfinite().all(-1), strict=True):
        if not finite:
            raise UserError(f"{fact.label}: the model gives probabilities that are not finite (NaN or infinite)")
    return [
        Recall(
            log_probs[row].cpu().numpy(),
            ranks[row].cpu().numpy(),
            bool((choice[row, :-1] == answers[row]).all()) and not _continues_word(model, int(choice[row, -1])),
        )
        for row in range(len(facts))
    ]


def _row(fact_id: str, answer: str, recalled: Recall, tokens: EncodedFact) -> dict[str, Any]:
    """Return one fact's row of ``schemas.KNOWN``.

    Args:
        answer: the accepted answer that stands for the fact.
        recalled: the model's recall of that answer.
        tokens: the prompt and that answer as token ids.
    """
    log_prob = float(recalled.log_probs.sum())
    return {
        "fact_id": fact_id,
        "answer": answer,
        "known": recalled.known,
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


def known_facts(
    model: LanguageModel, facts: pd.DataFrame, batch: int, left_out: dict[str, str] | None = None
) -> pd.DataFrame:
    """Test which facts a model knows, by every accepted answer of every fact.

    Args:
        facts: one row per fact; columns fact_id, prompt and answers, the list of accepted answers.
        batch: the number of answers that are computed at once.
        left_out: gets the reason by the id of each fact whose probabilities are not finite, which then has no row; None
            makes such a fact an error.
    Returns:
        One row per fact, columns as in ``schemas.KNOWN``, about the first accepted answer that greedy decoding gives,
        or about the first accepted answer of all where it gives none.
    Raises:
        UserError: as ``dkn.decoder.encoded_facts.encode`` and ``recall`` raise it.
    """
    encoded = {
        (row.fact_id, number): encode(model, f"{row.fact_id}{SEPARATOR}{number}", row.prompt, answer)
        for row in facts.itertuples(index=False)
        for number, answer in enumerate(row.answers)
    }
    recalls: dict[str, Recall] = {}
    for group in progress(list(batches(list(encoded.values()), batch)), "known facts", unit="batch"):
        recalls.update(_recall_each(model, group, left_out))
    rows = []
    for row in facts.itertuples(index=False):
        if left_out and row.fact_id in left_out:
            continue
        tokens = [encoded[row.fact_id, number] for number in range(len(row.answers))]
        chosen = next((number for number, answer in enumerate(tokens) if recalls[answer.fact_id].known), 0)
        rows.append(_row(row.fact_id, row.answers[chosen], recalls[tokens[chosen].fact_id], tokens[chosen]))
    return pd.DataFrame(rows, columns=KNOWN.names)
