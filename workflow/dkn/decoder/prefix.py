"""Prompts read once, alone or together with copies of themselves in which one token is masked.

Attention is causal: a copy differs from its prompt from the masked position on, so only the tokens from there on are
computed, and what comes before is the prompt's own. All tokens of all prompts and copies form one flat list without
padding, which everything but attention works on; attention gathers whole sequences from it.

Axes, throughout: facts F, copies C (the first is the prompt itself), positions S, queried positions Q, tokens N of the
flat list, key-value heads K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dkn.decoder.adapters import Adapter, rotate
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError

TOKENS_PER_ROW = 4  # a token that is read holds one layer's intermediates, a branch those of half the stack


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

    What belongs to a layer is on its device.
    """

    keys: list[Tensor]
    values: list[Tensor]
    middle: list[Tensor]
    neurons: list[Tensor]
    outputs: list[Tensor]
    final: Tensor
    positions: Tensor


@dataclass(frozen=True)
class _Layout:
    """Prompts and masked copies as one flat list of tokens.

    Attributes:
        tokens, places: (N,) token ids and their positions.
        source: (F, C, S): which token of the list stands at a position of a copy; anything beyond the prompt's end.
        own: (N,) where in the flattened ``source`` each token is the copy's own.
    """

    tokens: Tensor
    places: Tensor
    source: Tensor
    own: Tensor

    def to(self, device: torch.device) -> _Layout:
        """The same on another device."""
        return _Layout(*(getattr(self, field.name).to(device) for field in fields(self)))


def _layout(
    prompts: Sequence[Sequence[int]], masked: Sequence[Sequence[int]], mask_token: int, device: torch.device
) -> _Layout:
    """The prompts, each with a copy per position in ``masked``; facts with fewer copies leave the last ones empty."""
    copies, longest = 1 + max(map(len, masked)), max(map(len, prompts))
    source = np.zeros((len(prompts), copies, longest), dtype=np.int64)
    tokens: list[int] = []
    own = []
    for row, (prompt, positions) in enumerate(zip(prompts, masked, strict=True)):
        for copy, start in enumerate((0, *positions)):
            source[row, copy, :start] = source[row, 0, :start]
            source[row, copy, start : len(prompt)] = np.arange(len(tokens), len(tokens) + len(prompt) - start)
            own.append((row * copies + copy) * longest + np.arange(start, len(prompt)))
            tokens.extend(prompt[start:])
            if copy:
                tokens[start - len(prompt)] = mask_token
    where = np.concatenate(own)
    found = (np.array(tokens, dtype=np.int64), where % longest, source, where)
    return _Layout(*(torch.from_numpy(part).to(device) for part in found))


def _causal_attention(adapter: Adapter, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Rotated queries (B, S, heads, head size), keys and values -> (B, S, heads * head size)."""
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    attended = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        is_causal=True,
        scale=adapter.attention_scale(layer),
        enable_gqa=adapter.n_kv_heads != adapter.n_heads,
    )
    return attended.transpose(1, 2).flatten(2)


def attend_whole(adapter: Adapter, layer: int, hidden: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """One layer's causal attention over whole sequences, nothing cached.

    Args:
        hidden: (B, S, width), the residual stream entering the layer.
        rotation: cosines and sines of the S positions, or None.
    Returns:
        (B, S, width), the residual stream after attention.
    """
    hidden = adapter.enter(layer, hidden)
    query, key, value = adapter.attention_inputs(layer, hidden)
    attended = _causal_attention(adapter, layer, rotate(query, rotation), rotate(key, rotation), value)
    return adapter.add_attention(layer, hidden, attended)


@torch.no_grad()
def _read(adapter: Adapter, layout: _Layout, positions: Tensor, cache: bool) -> tuple[Prefix, list[Tensor]]:
    """The prompts' prefix, and per layer the neurons (F, C, Q, neurons) of all copies at the queried positions."""
    facts, copies, longest = layout.source.shape
    hidden = adapter.embed(layout.tokens, layout.places)
    rotation = adapter.rotation(layout.places)
    wanted = layout.source.gather(2, positions[:, None].expand(-1, copies, -1))
    prefix = Prefix([], [], [], [], [], hidden, positions)
    found = []
    for layer in range(adapter.n_layers):
        hidden = adapter.enter(layer, hidden)
        layout, wanted = layout.to(hidden.device), wanted.to(hidden.device)
        query, key, value = adapter.attention_inputs(layer, hidden)
        query, key = rotate(query, rotation), rotate(key, rotation)
        if cache:
            prefix.keys.append(key[layout.source[:, 0]].transpose(1, 2).contiguous())
            prefix.values.append(value[layout.source[:, 0]].transpose(1, 2).contiguous())
        whole = (part[layout.source].flatten(0, 1) for part in (query, key, value))
        attended = _causal_attention(adapter, layer, *whole).reshape(facts * copies * longest, -1)[layout.own]
        if layer == adapter.n_layers - 1:  # from here on nothing but the queried positions is needed
            hidden, attended = hidden[wanted], attended[wanted]
            wanted = torch.arange(wanted.numel(), device=wanted.device).view(wanted.shape)
            hidden = adapter.add_attention(layer, hidden, attended).flatten(0, 2)
        else:
            hidden = adapter.add_attention(layer, hidden, attended)
        neurons = adapter.neurons(layer, hidden)
        found.append(neurons[wanted])
        prefix.neurons.append(found[-1][:, 0])
        prefix.middle.append(hidden[wanted[:, 0]])
        output = adapter.mlp_output(layer, neurons)
        prefix.outputs.append(output[wanted[:, 0]])
        hidden = adapter.add_mlp(layer, hidden, output)
    return replace(prefix, final=hidden[wanted[:, 0]]), found


def _sum_over_copies(found: list[Tensor], copies: Sequence[int]) -> list[Tensor]:
    """Per layer (F, C, Q, neurons) -> (F, Q, neurons) float32: the sum over each fact's own number of masked copies."""
    real = (torch.arange(found[0].shape[1] - 1) < torch.tensor(copies)[:, None]).float()
    return [torch.einsum("fc,fcqn->fqn", real.to(part.device), part[:, 1:].float()) for part in found]


def _check_lengths(adapter: Adapter, prompts: Sequence[Sequence[int]]) -> None:
    longest = max(len(prompt) for prompt in prompts)
    if longest > adapter.context:
        raise UserError(f"a prompt of {longest} tokens exceeds the model's context of {adapter.context}")


def read_prompts(
    adapter: Adapter, prompts: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], cache: bool = True
) -> Prefix:
    """Read token sequences once and keep what branches need.

    Args:
        adapter: the model.
        prompts: F token-id sequences of any lengths.
        positions: for each, Q positions whose neurons and residual streams are kept (Q is the same for all).
        cache: whether to keep keys and values too.
    Raises:
        UserError: a sequence is longer than the model's context.
    """
    _check_lengths(adapter, prompts)
    layout = _layout(prompts, [()] * len(prompts), 0, adapter.device)
    return _read(adapter, layout, torch.tensor(positions, device=adapter.device), cache)[0]


def read_with_masked(
    adapter: Adapter,
    prompts: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    places: Sequence[range],
    mask_token: int,
    budget: RowBudget,
) -> tuple[Prefix, list[Tensor]]:
    """The same, with the mean neurons of copies of the prompts in which one token is masked.

    Args:
        places: for each prompt, the positions to mask, one copy each; at least one, none after a queried position.
        mask_token: the token put there.
        budget: how many tokens are computed at once; with more copies than fit, the prompts are read again.
    Returns:
        The prompts' own prefix, and per layer (F, Q, neurons) float32 the mean over the copies.
    Raises:
        UserError: a sequence is longer than the model's context, or no token of it may be masked.
    """
    _check_lengths(adapter, prompts)
    queried = torch.tensor(positions, device=adapter.device)
    longest, most = max(map(len, prompts)), max(map(len, places))
    prefix: Prefix | None = None
    sums: list[Tensor] = []
    done = 0
    while done < most:
        with budget.attempt(smallest=2 * len(prompts) * longest // TOKENS_PER_ROW) as rows:
            fitting = max(1, TOKENS_PER_ROW * rows // (len(prompts) * longest) - 1)
            masked = [place[done : done + fitting] for place in places]
            read, found = _read(adapter, _layout(prompts, masked, mask_token, adapter.device), queried, prefix is None)
            parts = _sum_over_copies(found, [len(part) for part in masked])
            sums = [total + part for total, part in zip(sums, parts, strict=True)] if sums else parts
            prefix = prefix or read
            done += fitting
    assert prefix is not None
    counts = torch.tensor([len(place) for place in places])[:, None, None]
    return prefix, [total / counts.to(total.device) for total in sums]
