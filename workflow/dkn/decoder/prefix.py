"""Prompts that the model reads once, alone or together with copies of themselves in which one token is masked.

What a reading keeps of a prompt is called its *prefix*: the keys and values that branches (``dkn.decoder.branches``)
attend to, and the states of the model at a few *queried* positions.

Attention is causal, so a copy is equal to its prompt up to the masked position. Only the copy's tokens from that
position on are computed; the tokens before it are taken from the prompt. All computed tokens of all prompts and copies
form one flat list without padding. Every step but attention works on that list; attention gathers whole sequences from
it.

Shapes name these axes: facts F, copies C (the first copy is the prompt itself), positions S of the longest prompt,
queried positions Q, tokens N of the flat list, key-value heads K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.attention import Rotation, causal_attention, rotate
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError

TOKENS_PER_ROW = 4  # a token of a reading keeps one layer's intermediates, a branch those of half the layers


@dataclass(frozen=True)
class Prefix:
    """What one reading of a batch of prompts keeps.

    The lists have one tensor per layer, which is on the layer's device.

    Attributes:
        keys, values: (F, K, S, head size) per layer; keys are rotated. Empty lists where nothing was cached.
        middle: (F, Q, size) per layer, the layer's middle (``dkn.decoder.adapters``) at the queried positions.
        neurons: (F, Q, neurons) per layer, the neurons at the queried positions.
        outputs: (F, Q, width) per layer, the MLP's output at the queried positions.
        final: (F, Q, width), the residual stream after the last layer at the queried positions.
        positions: (F, Q), the queried positions.
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
        tokens: (N,), the token ids.
        positions: (N,), the position of every token in its prompt.
        source: (F, C, S), the index in the flat list of the token at each position of each copy; beyond the end of a
            prompt the index is of no meaning.
        own: (N,), the index in the flattened ``source`` of the copy and position that each token was computed for.
    """

    tokens: Tensor
    positions: Tensor
    source: Tensor
    own: Tensor

    def to(self, device: torch.device) -> _Layout:
        """Return the layout on another device."""
        return _Layout(*(getattr(self, field.name).to(device) for field in fields(self)))


def _layout(
    prompts: Sequence[Sequence[int]], masked: Sequence[Sequence[int]], mask_token: int, device: torch.device
) -> _Layout:
    """Lay out each prompt with one copy per position to mask; the last copies of a fact with fewer of them are empty.

    Args:
        masked: for each prompt the positions to mask.
        mask_token: the token id that masks a position.
    """
    copies, longest = 1 + max(map(len, masked)), max(map(len, prompts))
    source = np.zeros((len(prompts), copies, longest), dtype=np.int64)
    tokens: list[int] = []
    own = []
    for fact, (prompt, positions) in enumerate(zip(prompts, masked, strict=True)):
        for copy, start in enumerate((0, *positions)):
            source[fact, copy, :start] = source[fact, 0, :start]
            source[fact, copy, start : len(prompt)] = np.arange(len(tokens), len(tokens) + len(prompt) - start)
            own.append((fact * copies + copy) * longest + np.arange(start, len(prompt)))
            tokens.extend(prompt[start:])
            if copy:
                tokens[start - len(prompt)] = mask_token
    own_indices = np.concatenate(own)
    arrays = (np.array(tokens, dtype=np.int64), own_indices % longest, source, own_indices)
    return _Layout(*(torch.from_numpy(array).to(device) for array in arrays))


def attend_whole(
    adapter: Adapter, layer: int, hidden: Tensor, rotations: list[Rotation | None], queried: Tensor | None = None
) -> Tensor:
    """Apply one layer's causal attention to B whole sequences, without a cache.

    Args:
        hidden: (B, S, width), the residual stream that enters the layer, on any device.
        rotations: how each layer turns the S positions.
        queried: (B, Q), the positions whose middle is asked for; None for all.
    Returns:
        (B, S or Q, size), the layer's middle, on the layer's device.
    """
    hidden = adapter.enter(layer, hidden)
    query, key, value = adapter.attention_inputs(layer, hidden)
    query, key = rotate(query, rotations[layer]), rotate(key, rotations[layer])
    attended = causal_attention(adapter.scoring(layer), query, key, value)
    if queried is not None:
        hidden, attended = at_positions(hidden, queried), at_positions(attended, queried)
    return adapter.add_attention(layer, hidden, attended)


def at_positions(stream: Tensor, queried: Tensor) -> Tensor:
    """Return what a stream (B, S, size) holds at some positions (B, Q) of each sequence, (B, Q, size)."""
    return stream.gather(1, queried.to(stream.device)[..., None].expand(-1, -1, stream.shape[-1]))


@torch.no_grad()
def _read(
    adapter: Adapter, layout: _Layout, positions: Tensor, cache: bool, site: str = "neurons"
) -> tuple[Prefix, list[Tensor]]:
    """Run the model over a layout.

    Args:
        positions: (F, Q), the queried positions.
        cache: whether the prefix keeps keys and values.
        site: what is kept of copies, one of ``NEURON_SITES``.
    Returns:
        The prompts' prefix, and per layer the values of all copies at the site and the queried positions,
        (F, C, Q, neurons).
    """
    facts, copies, longest = layout.source.shape
    hidden = adapter.embed(layout.tokens, layout.positions)
    rotations = adapter.rotations(layout.positions)
    queried = layout.source.gather(2, positions[:, None].expand(-1, copies, -1))
    prefix = Prefix([], [], [], [], [], hidden, positions)
    copies_values = []
    for layer in range(adapter.n_layers):
        hidden = adapter.enter(layer, hidden)
        layout, queried = layout.to(hidden.device), queried.to(hidden.device)
        query, key, value = adapter.attention_inputs(layer, hidden)
        query, key = rotate(query, rotations[layer]), rotate(key, rotations[layer])
        if cache:
            prefix.keys.append(key[layout.source[:, 0]].transpose(1, 2).contiguous())
            prefix.values.append(value[layout.source[:, 0]].transpose(1, 2).contiguous())
        sequences = (part[layout.source].flatten(0, 1) for part in (query, key, value))
        attended = causal_attention(adapter.scoring(layer), *sequences)
        attended = attended.reshape(facts * copies * longest, -1)[layout.own]
        if layer == adapter.n_layers - 1:  # what follows needs the queried positions only
            hidden, attended = hidden[queried].flatten(0, 2), attended[queried].flatten(0, 2)
            queried = torch.arange(queried.numel(), device=queried.device).view(queried.shape)
        middle = adapter.add_attention(layer, hidden, attended)
        if site == "preactivation":
            values = adapter.preactivation(layer, middle)
            neurons = adapter.activate(layer, values, middle)
        else:
            values = neurons = adapter.neurons(layer, middle)
        copies_values.append(values[queried])
        prefix.neurons.append(neurons[queried[:, 0]])
        prefix.middle.append(middle[queried[:, 0]])
        output = adapter.mlp_output(layer, neurons)
        prefix.outputs.append(output[queried[:, 0]])
        hidden = adapter.add_mlp(layer, middle, output)
    return replace(prefix, final=hidden[queried[:, 0]]), copies_values


def _sum_over_copies(
    values: list[Tensor], masked: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
) -> list[Tensor]:
    """Return per layer the sum of values over each fact's masked copies, (F, Q, neurons) float32.

    Args:
        values: (F, C, Q, neurons) per layer; the first copy is the prompt itself.
        masked: for each fact the positions that are masked in its copies, at most C - 1; later copies are empty.
        positions: for each fact the Q queried positions; a copy counts for those that its masked position can change.
    """
    places = torch.full((len(masked), values[0].shape[1] - 1), torch.iinfo(torch.long).max)
    for row, own in enumerate(masked):
        places[row, : len(own)] = torch.tensor(own, dtype=torch.long)
    counted = (places[..., None] <= torch.tensor(positions)[:, None]).float()  # (F, C - 1, Q)
    if (counted == counted[..., :1]).all():  # the same copies for all queried positions: one product per fact
        real = counted[..., 0].contiguous()
        return [torch.einsum("fc,fcqn->fqn", real.to(part.device), part[:, 1:].float()) for part in values]
    return [torch.einsum("fcq,fcqn->fqn", counted.to(part.device), part[:, 1:].float()) for part in values]


def _check_lengths(adapter: Adapter, prompts: Sequence[Sequence[int]]) -> None:
    """Raise unless every token sequence fits into the model's context."""
    longest = max(len(prompt) for prompt in prompts)
    if longest > adapter.context:
        raise UserError(f"a prompt of {longest} tokens exceeds the model's context of {adapter.context}")


def read_prompts(
    adapter: Adapter, prompts: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], cache: bool = True
) -> Prefix:
    """Read token sequences once and return their prefix.

    Args:
        adapter: the model.
        prompts: F sequences of token ids, of any lengths.
        positions: for each prompt the Q queried positions, whose states are kept; Q is the same for all prompts.
        cache: whether the prefix keeps keys and values too, which branches need.
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
    maskable: Sequence[range],
    mask_token: int,
    budget: RowBudget,
    site: str = "neurons",
) -> tuple[Prefix, list[Tensor]]:
    """Read prompts once and, for each, copies in which one token is masked; return the prefix and the copies' means.

    Args:
        adapter: the model.
        prompts: F sequences of token ids, of any lengths.
        positions: for each prompt the Q queried positions, whose states are kept; Q is the same for all prompts.
        maskable: for each prompt the positions to mask, one copy each; at least one up to every queried position.
        mask_token: the token id that masks a position.
        budget: how many tokens are computed at once; where not all copies fit, the prompts are read once per chunk.
        site: what the mean is taken of: ``neurons``, or ``preactivation``, what enters the activation function.
    Returns:
        The prompts' own prefix with keys and values, and per layer the mean of the values at the site, (F, Q, neurons)
        float32, at each queried position over the copies that are masked at or before it.
    Raises:
        UserError: a sequence is longer than the model's context, or the prompts with one copy each do not fit into
            memory.
    """
    _check_lengths(adapter, prompts)
    queried = torch.tensor(positions, device=adapter.device)
    longest, most = max(map(len, prompts)), max(map(len, maskable))
    prefix: Prefix | None = None
    sums: list[Tensor] = []
    done = 0
    while done < most:
        with budget.attempt(smallest=2 * len(prompts) * longest // TOKENS_PER_ROW) as rows:
            fitting = max(1, TOKENS_PER_ROW * rows // (len(prompts) * longest) - 1)
            masked = [positions_of_prompt[done : done + fitting] for positions_of_prompt in maskable]
            layout = _layout(prompts, masked, mask_token, adapter.device)
            chunk_prefix, copies_values = _read(adapter, layout, queried, prefix is None, site)
            chunk_sums = _sum_over_copies(copies_values, masked, positions)
            sums = [total + chunk for total, chunk in zip(sums, chunk_sums, strict=True)] if sums else chunk_sums
            prefix = prefix or chunk_prefix
            done += fitting
    assert prefix is not None
    counts = torch.tensor(
        [
            [sum(place <= last for place in places) for last in own]
            for places, own in zip(maskable, positions, strict=True)
        ]
    )
    return prefix, [total / counts[..., None].to(total.device) for total in sums]
