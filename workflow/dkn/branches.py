"""Many variants of a prompt's last tokens against one cached prefix.

Attention is causal, so what happens at the last positions cannot change anything before them. The prompt is read
once; every variant (*branch*) then is a few tokens that attend to the prefix's cached keys and values and to
themselves. A batch holds several facts; each fact has its own prefix and its own branches.

Axes, throughout: facts F, branches R, tokens of a branch T, prefix positions S, heads H, key-value heads K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from dkn.errors import UserError
from dkn.language_models import Adapter, rotate
from dkn.memory import RowBudget


@dataclass(frozen=True)
class Prefix:
    """What one reading of a batch of prompts leaves behind.

    Attributes:
        keys, values: per layer, (F, K, S, head size); keys are rotated.
        middle: per layer, (F, Q, width): the residual stream after attention at the queried positions.
        neurons: per layer, (F, Q, neurons) at the queried positions.
        outputs: per layer, (F, Q, width): the MLP's output at the queried positions.
        final: (F, Q, width): the residual stream after the last layer at the queried positions.
        positions: (F, Q): the queried positions.
    """

    keys: list[Tensor]
    values: list[Tensor]
    middle: list[Tensor]
    neurons: list[Tensor]
    outputs: list[Tensor]
    final: Tensor
    positions: Tensor


def _gather(hidden: Tensor, positions: Tensor) -> Tensor:
    """(F, S, width) at (F, Q) positions -> (F, Q, width)."""
    return hidden.gather(1, positions[..., None].expand(-1, -1, hidden.shape[-1]))


def attend_whole(
    adapter: Adapter, layer: int, hidden: Tensor, rotation: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer's causal attention over whole sequences.

    Args:
        hidden: (F, S, width), the residual stream entering the layer.
        rotation: cosines and sines of the S positions, or None.
    Returns:
        (F, S, width), the residual stream after attention; (F, K, S, head size) rotated keys, and values.
    """
    query, key, value = adapter.attention_inputs(layer, hidden)
    query, key, value = (part.transpose(1, 2) for part in (rotate(query, rotation), rotate(key, rotation), value))
    attended = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        is_causal=True,
        scale=adapter.attention_scale(layer),
        enable_gqa=adapter.n_kv_heads != adapter.n_heads,
    )
    return adapter.add_attention(layer, hidden, attended.transpose(1, 2).flatten(2)), key, value


def pad(prompts: Sequence[Sequence[int]]) -> Tensor:
    """Token sequences as one (F, S) tensor, padded on the right, which causality makes harmless."""
    tokens = torch.zeros(len(prompts), max(len(prompt) for prompt in prompts), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    return tokens


@torch.no_grad()
def read_prompts(
    adapter: Adapter, prompts: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], cache: bool = True
) -> Prefix:
    """Read token sequences once and keep what branches need.

    Args:
        adapter: the model.
        prompts: F token-id sequences of any lengths; they are padded on the right.
        positions: for each, Q positions whose neurons and residual streams are kept (Q is the same for all).
        cache: whether to keep keys and values too.
    Raises:
        UserError: a sequence is longer than the model's context.
    """
    tokens = pad(prompts)
    longest = tokens.shape[1]
    if longest > adapter.context:
        raise UserError(f"a prompt of {longest} tokens exceeds the model's context of {adapter.context}")
    queried = torch.tensor(positions, device=adapter.device)

    places = torch.arange(longest, device=adapter.device)
    hidden = adapter.embed(tokens.to(adapter.device), places)
    rotation = adapter.rotation(places)
    prefix = Prefix([], [], [], [], [], hidden, queried)
    for layer in range(adapter.n_layers):
        hidden, key, value = attend_whole(adapter, layer, hidden, rotation)
        neurons = adapter.neurons(layer, hidden)
        if cache:
            prefix.keys.append(key)
            prefix.values.append(value)
        prefix.middle.append(_gather(hidden, queried))
        prefix.neurons.append(_gather(neurons, queried))
        output = adapter.mlp_output(layer, neurons)
        prefix.outputs.append(_gather(output, queried))
        hidden = adapter.add_mlp(layer, hidden, output)
    return replace(prefix, final=_gather(hidden, queried))


def visible_prefix(prefix: Prefix, starts: Tensor) -> Tensor:
    """(F, R) first positions of branches -> (F, R, S): which cached positions each branch attends to."""
    return torch.arange(prefix.keys[0].shape[2], device=starts.device) < starts[..., None]


def attend(
    adapter: Adapter,
    layer: int,
    prefix: Prefix,
    hidden: Tensor,
    visible: Tensor,
    rotation: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """One layer's attention for branches: to the visible prefix, and causally to the branch's own tokens.

    Args:
        hidden: (F, R, T, width), the residual stream entering the layer.
        visible: (F, R, S) from ``visible_prefix``.
        rotation: cosines and sines of the branches' positions, (F, R, T, head size) each, or None.
    Returns:
        (F, R, T, width), the residual stream after attention. No score between two branches is ever formed.
    """
    facts, rows, tokens, _ = hidden.shape
    query, key, value = adapter.attention_inputs(layer, hidden)
    query, key = rotate(query, rotation), rotate(key, rotation)
    kv_heads, groups = adapter.n_kv_heads, adapter.n_heads // adapter.n_kv_heads
    # (F, K, R, T, G, head size) and (F, K, R, T, head size)
    query = query.unflatten(3, (kv_heads, groups)).permute(0, 3, 1, 2, 4, 5) * adapter.attention_scale(layer)
    key, value = (part.permute(0, 3, 1, 2, 4) for part in (key, value))

    to_prefix = query.reshape(facts, kv_heads, -1, query.shape[-1]) @ prefix.keys[layer].transpose(-1, -2)
    to_prefix = to_prefix.view(facts, kv_heads, rows, tokens, groups, -1)
    to_prefix = to_prefix.masked_fill(~visible[:, None, :, None, None, :], float("-inf"))
    if tokens == 1:
        to_self = (query * key[:, :, :, :, None, :]).sum(-1, keepdim=True)
    else:
        to_self = (query.flatten(3, 4) @ key.transpose(-1, -2)).view(facts, kv_heads, rows, tokens, groups, tokens)
        later = torch.ones(tokens, tokens, dtype=torch.bool, device=hidden.device).triu(1)
        to_self = to_self.masked_fill(later[:, None, :], float("-inf"))

    weights = torch.cat((to_prefix, to_self), dim=-1).softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    to_prefix, to_self = weights.split((to_prefix.shape[-1], tokens), dim=-1)
    from_prefix = to_prefix.reshape(facts, kv_heads, rows * tokens * groups, -1) @ prefix.values[layer]
    from_prefix = from_prefix.view(query.shape)
    if tokens == 1:
        from_self = to_self * value[:, :, :, :, None, :]
    else:
        from_self = (to_self.flatten(3, 4) @ value).view(query.shape)
    attended = (from_prefix + from_self).permute(0, 2, 3, 1, 4, 5).flatten(3)
    return adapter.add_attention(layer, hidden, attended)


BLOCK_TOKENS = 512  # fewer tokens at once leave the processor waiting for weights


def _masked_block(
    adapter: Adapter, tokens: Tensor, masked: Tensor, start: int, prefix: Prefix, mask_token: int
) -> list[Tensor]:
    """Neurons at the queried positions when one token is masked, per layer (F, R, Q, neurons).

    Args:
        tokens: (F, S) the prompts.
        masked: (R,) positions to mask, one per branch, none before ``start``.
        start: where the branches begin; everything before is the cached prefix.
    """
    facts, rows = len(tokens), len(masked)
    copies = tokens[:, None, start:].repeat(1, rows, 1)
    copies[:, torch.arange(rows), masked - start] = mask_token
    places = torch.arange(start, tokens.shape[1], device=tokens.device)
    hidden = adapter.embed(copies, places)
    rotation = adapter.rotation(places.expand(facts, rows, -1))
    visible = visible_prefix(prefix, torch.full((facts, rows), start, device=tokens.device))
    queried = (prefix.positions - start).clamp(min=0)[:, None, :, None]
    found = []
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, visible, rotation)
        if layer == adapter.n_layers - 1:  # nothing after these neurons is needed, nor are those of other positions
            hidden = hidden.gather(2, queried.expand(-1, rows, -1, hidden.shape[-1]))
            found.append(adapter.neurons(layer, hidden))
            return found
        neurons = adapter.neurons(layer, hidden)
        found.append(neurons.gather(2, queried.expand(-1, rows, -1, neurons.shape[-1])))
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, neurons))
    return found


@torch.no_grad()
def masked_neurons(
    adapter: Adapter,
    prompts: Sequence[Sequence[int]],
    places: Sequence[range],
    prefix: Prefix,
    mask_token: int,
    budget: RowBudget,
) -> list[Tensor]:
    """Mean neurons at the queried positions over prompt copies with one token masked.

    A copy differs from the prompt from its masked position on, so what comes before is read from the prompt's own
    cache: positions are cut into blocks, and the copies of a block start where the block does.

    Args:
        prompts: F token sequences, as read into ``prefix``.
        places: for each, the positions to mask; a range.
        mask_token: the token put there.
    Returns:
        Per layer (F, Q, neurons) float32.
    """
    device = adapter.device
    tokens = pad(prompts).to(device)
    longest = tokens.shape[1]
    first = torch.tensor([place.start for place in places], device=device)
    last = torch.tensor([place.stop for place in places], device=device)
    sums = [torch.zeros(neurons.shape, device=device) for neurons in prefix.neurons]
    left = list(range(min(place.start for place in places), max(place.stop for place in places)))
    blocks = min(8, max(1, len(prompts) * longest * len(left) // BLOCK_TOKENS))
    per_block = -(-len(left) // blocks)
    while left:
        with budget.attempt(smallest=len(prompts) * longest) as rows:
            fitting = max(1, rows // (len(prompts) * (longest - left[0])))
            masked = torch.tensor(left[: min(per_block, fitting)], device=device)
            found = _masked_block(adapter, tokens, masked, left[0], prefix, mask_token)
            counted = ((masked >= first[:, None]) & (masked < last[:, None])).float()  # (F, R)
            for total, neurons in zip(sums, found, strict=True):
                total += torch.einsum("fr,frqn->fqn", counted, neurons.float())
            left = left[len(masked) :]
    return [total / (last - first)[:, None, None] for total in sums]
