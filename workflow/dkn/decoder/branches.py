"""Attention of branches: many variants of a prompt's last tokens against one cached prefix.

Attention is causal, so what happens at the last positions cannot change anything before them. The prompt is read
once (``dkn.decoder.prefix``). Every variant, called a *branch*, then consists of a few tokens that attend to the
prefix's cached keys and values and to themselves. A batch holds several facts; each fact has its own prefix and its own
branches.

Shapes name these axes: facts F, branches R, tokens of a branch T, prefix positions S, key-value heads K, and the G
query heads that share a key-value head.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter, rotate
from dkn.decoder.prefix import Prefix


def visible_prefix(prefix: Prefix, starts: Tensor) -> Tensor:
    """Return which cached positions each branch attends to, (F, R, S): those before the branch's first position.

    Args:
        starts: (F, R), the first position of every branch.
    """
    return torch.arange(prefix.keys[0].shape[2], device=starts.device) < starts[..., None]


def attend(
    adapter: Adapter,
    layer: int,
    prefix: Prefix,
    hidden: Tensor,
    visible: Tensor,
    rotation: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """Apply one layer's attention to branches, which see the visible prefix and, causally, their own tokens.

    Two branches never see each other, and no score between them is computed.

    Args:
        prefix: the facts' prefix, with cached keys and values.
        hidden: (F, R, T, width), the residual stream that enters the layer, on any device.
        visible: (F, R, S), a result of ``visible_prefix``.
        rotation: cosines and sines of the branches' positions, (F, R, T, head size) each, or None.
    Returns:
        (F, R, T, width), the residual stream after attention, on the layer's device.
    """
    facts, rows, tokens, _ = hidden.shape
    hidden = adapter.enter(layer, hidden)
    query, key, value = adapter.attention_inputs(layer, hidden)
    query, key = rotate(query, rotation), rotate(key, rotation)
    kv_heads, groups = adapter.n_kv_heads, adapter.n_heads // adapter.n_kv_heads
    # (F, K, R, T, G, head size) and (F, K, R, T, head size)
    query = query.unflatten(3, (kv_heads, groups)).permute(0, 3, 1, 2, 4, 5) * adapter.attention_scale(layer)
    key, value = (part.permute(0, 3, 1, 2, 4) for part in (key, value))

    to_prefix = query.reshape(facts, kv_heads, -1, query.shape[-1]) @ prefix.keys[layer].transpose(-1, -2)
    to_prefix = to_prefix.view(facts, kv_heads, rows, tokens, groups, -1)
    to_prefix = to_prefix.masked_fill(~visible.to(hidden.device)[:, None, :, None, None, :], float("-inf"))
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
