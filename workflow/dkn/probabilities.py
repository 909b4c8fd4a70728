"""Answer probabilities that keep their precision near one.

A float32 probability of 0.999 has lost the digits in which its change under an intervention lies. The odds against
the answer, log((1 - P) / P), keep them: they are the log-sum-exp of all other logits minus the answer's own.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def log_odds_against(logits: Tensor, answers: Tensor) -> Tensor:
    """log((1 - P) / P) of the answers, float32.

    Args:
        logits: (..., vocabulary) float32.
        answers: (...) token ids.
    """
    index = answers[..., None]
    others = logits.scatter(-1, index, float("-inf")).logsumexp(-1)
    return others - logits.gather(-1, index)[..., 0]


def log_prob_gradient(logits: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """The log odds against the answers, and the gradient of log P with respect to the logits.

    The gradient overwrites ``logits``: over a whole vocabulary a second tensor of that size is worth avoiding.

    Args:
        logits: (rows, vocabulary) float32; not to be used afterwards.
        answers: (rows,) token ids.
    Returns:
        (rows,) log odds, and (rows, vocabulary): 1 - P at the answer, and elsewhere -(1 - P) times the share of the
        token in the probability of all other tokens.
    """
    index = answers[:, None]
    own = logits.gather(1, index)
    logits.scatter_(1, index, float("-inf"))
    highest = logits.amax(1, keepdim=True)
    others = logits.sub_(highest).exp_()
    total = others.sum(1, keepdim=True)
    log_odds = highest + total.log() - own
    against = log_odds.sigmoid()  # 1 - P
    gradient = others.mul_(-against / total).scatter_(1, index, against)
    return log_odds[:, 0], gradient


def log_prob(log_odds: Tensor) -> Tensor:
    """log P from the log odds against, in their dtype; pass float64 to keep what small changes need."""
    return -functional.softplus(log_odds)
