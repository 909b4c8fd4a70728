"""Which facts a model knows, and which neurons carry them (docs/method.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from dkn.encoding import EncodedFact
from dkn.errors import UserError
from dkn.language_models import LanguageModel
from dkn.probabilities import log_odds_against, log_prob
from dkn.reading import read_prompts

WORD_STARTS = ("Ġ", "▁")  # how byte-level BPE and SentencePiece write a leading space


@dataclass(frozen=True)
class Recall:
    """How a model answers one prompt: per answer token natural log-probabilities and ranks (0 is the first choice).

    ``known`` is whether greedy decoding gives exactly the answer, and then does not go on with the same word.
    """

    log_probs: np.ndarray
    ranks: np.ndarray
    known: bool


def _continues_word(model: LanguageModel, token: int) -> bool:
    """Whether a token after the answer would make a longer word of it ("Paris" + "ian")."""
    piece = model.tokenizer.convert_ids_to_tokens(token)
    if piece is None or piece.startswith(WORD_STARTS):
        return False
    first = model.tokenizer.decode([token])[:1]
    return first.isalnum() or first == "\N{REPLACEMENT CHARACTER}"  # part of a letter of several bytes


@torch.no_grad()
def recall(model: LanguageModel, facts: Sequence[EncodedFact]) -> list[Recall]:
    """Teacher-forced reading of a batch of facts whose answers have the same number of tokens.

    Greedy decoding gives the answer exactly when every answer token is the first choice after the ones before it, so
    one forward pass decides it.

    Raises:
        UserError: a probability is NaN or infinite, naming the fact.
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
            raise UserError(f"fact {fact.fact_id}: the model gives probabilities that are not finite (NaN or infinite)")
    return [
        Recall(
            log_probs[row].cpu().numpy(),
            ranks[row].cpu().numpy(),
            bool((choice[row, :-1] == answers[row]).all()) and not _continues_word(model, int(choice[row, -1])),
        )
        for row in range(len(facts))
    ]


def knowledge_neurons(scores: pd.DataFrame, fraction: float, cap: int | None) -> tuple[pd.DataFrame, list[str]]:
    """The neurons of each fact whose score exceeds a fraction of the fact's largest score over all layers.

    Args:
        scores: columns fact_id, layer, neuron, score (positive scores above the attribution's floor).
        fraction: the threshold.
        cap: the most neurons of a fact, the largest scores first; None for no limit.
    Returns:
        Columns fact_id, place, layer, neuron, score, sorted by layer and neuron within a fact, and the ids of the
        facts whose neurons the cap cut.
    Raises:
        UserError: a fact's neuron has two scores, as when one shard is given twice.
    """
    twice = scores[scores.duplicated(["fact_id", "layer", "neuron"])]
    if not twice.empty:
        fact_id, layer, neuron = twice.iloc[0][["fact_id", "layer", "neuron"]]
        raise UserError(f"fact {fact_id}: neuron {neuron} of layer {layer} has two scores; is a shard given twice?")
    largest = scores.groupby("fact_id")["score"].transform("max")
    chosen = scores[scores["score"] > fraction * largest]
    rank = chosen.groupby("fact_id")["score"].rank(method="first", ascending=False)
    capped = [] if cap is None else sorted(chosen.loc[rank > cap, "fact_id"].unique())
    if cap is not None:
        chosen = chosen[rank <= cap]
    chosen = chosen.sort_values(["fact_id", "layer", "neuron"], ignore_index=True)
    chosen = chosen.assign(place=chosen.groupby("fact_id").cumcount())
    return chosen[["fact_id", "place", "layer", "neuron", "score"]], capped
