"""Answer probabilities that keep their precision near one.

A float32 probability of 0.999 has lost the digits in which its change under an intervention lies. The *log odds
against* the answer, log((1 - P) / P), keep these digits: they are the log-sum-exp of all other logits minus the
answer's own logit.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def log_odds_against(logits: Tensor, answers: Tensor) -> Tensor:
    """Return log((1 - P) / P), the log odds against the answers, (...) float32.

    Args:
        logits: (..., vocabulary) float32.
        answers: (...) token ids.
    """
    index = answers[..., None]
    others = logits.scatter(-1, index, float("-inf")).logsumexp(-1)
    return others - logits.gather(-1, index)[..., 0]


def odds_and_others(logits: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log odds against the answers and the probabilities of all other tokens, in the logits' own memory.

    The gradient of log P with respect to the logits is 1 - P at the answer and minus these probabilities elsewhere.

    Args:
        logits: (rows, vocabulary) float32; they are overwritten.
        answers: (rows,) token ids.
    Returns:
        (rows,) log odds, infinite where P underflows, and (rows, vocabulary) probabilities, zero at the answer.
    """
    probabilities = logits.sub_(logits.amax(1, keepdim=True)).exp_()
    probabilities /= probabilities.sum(1, keepdim=True)
    index = answers[:, None]
    own = probabilities.gather(1, index)[:, 0]
    others = probabilities.scatter_(1, index, 0)
    return others.sum(1).log() - own.log(), others


def log_prob(log_odds: Tensor) -> Tensor:
    """Return log P, in nats, from the log odds against the answers.

    Args:
        log_odds: any shape; the result has the same shape and dtype. Float64 keeps the digits of small changes.
    """
    return -functional.softplus(log_odds)
