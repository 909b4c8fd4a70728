"""Answers to many prompts that begin alike, as prompts do that hold the same examples: the beginning is read once.

What follows the common beginning is a branch (``dkn.decoder.branches``) of the one prefix that all prompts share.
Prompts that differ only in the answer asked for share a branch, too.

There are also the model's own continuations of prompts, by greedy decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.branches import Places, attend
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
    places = Places.of(adapter, prefix, positions.expand(1, len(rows), -1))
    hidden = adapter.embed(tokens.to(adapter.device), positions)[None]
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, places)
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


def _first_choices(adapter: Adapter, rows: Sequence[Sequence[int]]) -> list[int]:
    """Return the token that the model puts first after each sequence; raise UserError where that is not finite."""
    prefix = read_prompts(adapter, rows, [[len(row) - 1] for row in rows], cache=False)
    largest, tokens = adapter.unembed(adapter.final_norm(prefix.final[:, 0])).max(-1)
    if not largest.isfinite().all():
        raise UserError("the model goes on from a prompt with logits that are not finite (NaN or infinite)")
    return tokens.tolist()


@torch.no_grad()
def greedy_continuations(
    adapter: Adapter, prompts: Sequence[Sequence[int]], tokens: int, batch: int, end: int | None = None
) -> list[list[int]]:
    """Return how the model goes on after each prompt, by its first choice at each step.

    Every step is a pass over the whole sequence so far. Equal prompts are continued once.

    Args:
        adapter: the model.
        prompts: token ids.
        tokens: the most tokens of a continuation; prompt and continuation are never longer than the model's context.
        batch: the number of sequences computed at once.
        end: the token with which a text ends; a continuation stops before it. None if there is no such token.
    Returns:
        For each prompt the tokens that follow it.
    Raises:
        UserError: logits are NaN or infinite.
    """
    distinct = sorted({tuple(prompt) for prompt in prompts}, key=lambda prompt: (len(prompt), prompt))
    found: dict[tuple[int, ...], list[int]] = {}
    chunks = [distinct[begin : begin + batch] for begin in range(0, len(distinct), batch)]
    for chunk in progress(chunks, "continuations", unit="batch"):
        found |= {prompt: [] for prompt in chunk}
        running = list(chunk)
        for _ in range(tokens):
            running = [prompt for prompt in running if len(prompt) + len(found[prompt]) < adapter.context]
            if not running:
                break
            chosen = _first_choices(adapter, [[*prompt, *found[prompt]] for prompt in running])
            going_on = [(prompt, token) for prompt, token in zip(running, chosen, strict=True) if token != end]
            for prompt, token in going_on:
                found[prompt].append(token)
            running = [prompt for prompt, _ in going_on]
    return [list(found[tuple(prompt)]) for prompt in prompts]
