"""Answers to many prompts that begin alike, as prompts do that hold the same examples: the beginning is read once.

What follows the common beginning is a branch (``dkn.decoder.branches``) of the one prefix that all prompts share.
Prompts that differ only in the answer asked for share a branch, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.branches import attend, visible_prefix
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, read_prompts
from dkn.errors import UserError
from dkn.progress import progress


def common_beginning(prompts: Sequence[list[int]]) -> int:
    """Return how many first tokens all prompts share, leaving at least one token of each prompt."""
    first, last = min(prompts), max(prompts)  # in the order of lists; what these two share all prompts share
    most = min(map(len, prompts)) - 1
    pairs = zip(first[:most], last[:most], strict=True)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), most)


def _final_streams(adapter: Adapter, prefix: Prefix, start: int, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the normed final residual stream of branches that continue a prefix, (rows, T, width).

    Args:
        prefix: the prefix of one prompt, of ``start`` tokens.
        start: the position of each branch's first token.
        rows: the tokens of each branch; T is the largest number of them. Shorter branches are padded on the right,
            where causal attention never looks.
    """
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for row, own in enumerate(rows):
        tokens[row, : len(own)] = torch.tensor(own)
    positions = torch.arange(start, start + tokens.shape[1], device=adapter.device)
    visible = visible_prefix(prefix, torch.full((1, len(rows)), start, device=adapter.device))
    rotation = adapter.rotation(positions.expand(1, len(rows), -1))
    hidden = adapter.embed(tokens.to(adapter.device), positions)[None]
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, visible, rotation)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return adapter.final_norm(hidden)[0]


def _log_probs(adapter: Adapter, normed: Tensor, facts: Sequence[tuple[int, int, EncodedFact]]) -> list[Tensor]:
    """Return the log probability of every answer token of several answers, one tensor for each answer.

    Args:
        normed: (rows, T, width), the normed final streams of branches.
        facts: the answers, each with its row and the number of the row's tokens, the last of which predict it.
    """
    streams = torch.cat([normed[row, end - len(fact.answer) : end] for row, end, fact in facts])
    answers = torch.tensor([token for _, _, fact in facts for token in fact.answer], device=streams.device)
    log_probs = log_prob(log_odds_against(adapter.unembed(streams), answers).double())
    return list(log_probs.split([len(fact.answer) for _, _, fact in facts]))


@torch.no_grad()
def answers_after(adapter: Adapter, facts: Sequence[EncodedFact], batch: int) -> dict[str, float]:
    """Return the log probability of each answer after its prompt, in nats, by id.

    Args:
        adapter: the model.
        facts: prompts and answers that fit into the model's context; all prompts have their first token in common.
        batch: the number of branches computed at once.
    Raises:
        ValueError: the prompts have no first token in common.
        UserError: a probability is NaN or infinite.
    """
    start = common_beginning([fact.prompt for fact in facts])
    if not start:
        raise ValueError("the prompts do not begin alike")
    prefix = read_prompts(adapter, [facts[0].prompt[:start]], [[start - 1]])
    by_context: dict[tuple[int, ...], list[EncodedFact]] = {}
    for fact in facts:
        by_context.setdefault(tuple(fact.context[start:]), []).append(fact)
    contexts = sorted(by_context, key=lambda context: (len(context), context))
    chunks = [contexts[begin : begin + batch] for begin in range(0, len(contexts), batch)]
    found: dict[str, float] = {}
    for chunk in progress(chunks, "continuations", unit="batch"):
        normed = _final_streams(adapter, prefix, start, chunk)
        asked = [(row, len(context), fact) for row, context in enumerate(chunk) for fact in by_context[context]]
        for (_, _, fact), log_probs in zip(asked, _log_probs(adapter, normed, asked), strict=True):
            if not log_probs.isfinite().all():
                raise UserError(f"{fact.label}: the model gives probabilities that are not finite (NaN or infinite)")
            found[fact.fact_id] = float(log_probs.sum())
    return found
