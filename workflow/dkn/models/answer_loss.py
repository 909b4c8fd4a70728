"""Sentences that a model learns, and the loss on them.

A sentence is a prompt with an answer. The loss is taken on the answer's tokens alone; the model does not learn to give
the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

IGNORED = -100  # the label of a token on which no loss is taken


@dataclass(frozen=True)
class Sentence:
    """The token ids of a prompt with an answer, and the index of the first token that the model learns to give."""

    tokens: list[int]
    answer_start: int


def padded(sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
    """Return the sentences' token ids, padded on the right, and their labels, each (batch, length).

    A label is the token itself in an answer, and ``IGNORED`` before the answer and on padding.
    """
    longest = max(len(sentence.tokens) for sentence in sentences)
    tokens = torch.zeros(len(sentences), longest, dtype=torch.long)
    labels = torch.full_like(tokens, IGNORED)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence.tokens)] = torch.tensor(sentence.tokens)
        labels[row, sentence.answer_start : len(sentence.tokens)] = torch.tensor(
            sentence.tokens[sentence.answer_start :]
        )
    return tokens, labels


def answer_loss(model: PreTrainedModel, sentences: Sequence[Sentence], smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy, in nats, of the answers' tokens, each given the tokens before it.

    Logits are computed for the positions that predict these tokens and for no others.

    Args:
        smoothing: the share of a label, from 0 to 1, that is spread evenly over the vocabulary.
    """
    tokens, labels = (part.to(model.device) for part in padded(sentences))
    hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1]
    answered = labels[:, 1:] != IGNORED
    logits = model.get_output_embeddings()(hidden[answered])
    return nn.functional.cross_entropy(
        logits.to(torch.promote_types(logits.dtype, torch.float32)),
        labels[:, 1:][answered],
        label_smoothing=smoothing,
    )
