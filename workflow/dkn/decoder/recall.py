"""How a model answers prompts: by greedy decoding, and with which probabilities.

A prompt is *answered* when greedy decoding gives the answer and does not go on with the same word. One pass over the
prompt and the answer decides it, because greedy decoding gives the answer exactly when each of its tokens is the
model's first choice after the tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError

WORD_STARTS = ("Ġ", "▁")  # how byte-level BPE and SentencePiece write a leading space


@dataclass(frozen=True)
class Recall:
    """How a model answers one prompt.

    Attributes:
        log_probs: (answer tokens,), the log probability of each answer token after those before it, in nats.
        ranks: (answer tokens,), the rank of each answer token among all tokens; 0 is the first choice.
        answered: whether greedy decoding gives exactly the answer, and then does not go on with the same word.
    """

    log_probs: np.ndarray
    ranks: np.ndarray
    answered: bool


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
