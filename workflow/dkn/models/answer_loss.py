"""Sentences that a model learns: a prompt, of which nothing is asked, and the tokens after it, which are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

IGNORED = -100


@dataclass(frozen=True)
class Sentence:
    """Tokens, and where the part begins that the model learns to give."""

    tokens: list[int]
    answer_start: int


def padded(sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
    """Right-padded (batch, length) tokens, and labels that are IGNORED before the answer and on padding."""
    longest = max(len(sentence.tokens) for sentence in sentences)
    tokens = torch.zeros(len(sentences), longest, dtype=torch.long)
    labels = torch.full_like(tokens, IGNORED)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence.tokens)] = torch.tensor(sentence.tokens)
        labels[row, sentence.answer_start : len(sentence.tokens)] = torch.tensor(
            sentence.tokens[sentence.answer_start :]
        )
    return tokens, labels


def answer_loss(model: PreTrainedModel, sentences: Sequence[Sentence]) -> Tensor:
    """Mean cross-entropy of the answers' tokens, each after the ones before it; logits are made for these alone."""
    tokens, labels = (part.to(model.device) for part in padded(sentences))
    hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1]
    answered = labels[:, 1:] != IGNORED
    logits = model.get_output_embeddings()(hidden[answered])
    return nn.functional.cross_entropy(
        logits.to(torch.promote_types(logits.dtype, torch.float32)), labels[:, 1:][answered]
    )
