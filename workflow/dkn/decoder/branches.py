"""Attention of branches: many variants of a prompt's last tokens against one cached prefix.

Attention is causal, so what happens at the last positions cannot change anything before them. The prompt is read
once (``dkn.decoder.prefix``). Every variant, called a *branch*, then consists of a few tokens that attend to the
prefix's cached keys and values and to themselves. A batch holds several facts; each fact has its own prefix and its own
branches.

Shapes name these axes: facts F, branches R, tokens of a branch T, prefix positions S, key-value heads K, and the G
query heads that share a key-value head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.attention import Rotation, Scoring, rotate
from dkn.decoder.prefix import Prefix


@dataclass(frozen=True)
class Places:
    """Where the tokens of branches stand.

    Attributes:
        positions: (F, R, T), the position of every token; those of a branch follow one another.
        later: (F, R, S), which cached positions do not come before the branch's first.
        rotations: how each layer turns queries and keys there.
    """

    positions: Tensor
    later: Tensor
    rotations: list[Rotation | None]

    @classmethod
    def of(cls, adapter: Adapter, prefix: Prefix, positions: Tensor) -> Places:
        """Return the places of branches of a prefix at positions (F, R, T)."""
        cached = torch.arange(prefix.keys[0].shape[2], device=positions.device)
        return cls(positions, cached >= positions[..., :1], adapter.rotations(positions))

    def first(self, rows: int) -> Places:
        """Return the places of the first branches of each fact."""
        shorter = {id(rotation): rotation and rotation.first(rows) for rotation in self.rotations}
        rotations = [shorter[id(rotation)] for rotation in self.rotations]
        return Places(self.positions[:, :rows], self.later[:, :rows], rotations)

    def unseen(self, scoring: Scoring, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return which keys a query must not see, on a device.

        Returns:
            Cached positions, (F, R, T or 1, S): the later ones, and those before the query's window. And the branch's
            own tokens, (F or 1, R or 1, T, T), or None where a branch is one token.
        """
        prefix, positions = self.later.to(device)[:, :, None], self.positions.to(device)
        tokens, length = positions.shape[-1], prefix.shape[-1]
        windowed = scoring.window is not None and scoring.window < length + tokens
        if windowed:
            prefix = prefix | scoring.out_of_window(torch.arange(length, device=device), positions[..., None])
        if tokens == 1:
            return prefix, None
        own = torch.ones(tokens, tokens, dtype=torch.bool, device=device).triu(1)[None, None]
        if windowed:
            own = own | scoring.out_of_window(positions[..., None, :], positions[..., None])
        return prefix, own


def _scores(scoring: Scoring, cached: Tensor, query: Tensor, key: Tensor, places: Places) -> tuple[Tensor, Tensor]:
    """Return the attention scores of branches; minus infinity where a query must not see a key.

    Args:
        cached: (F, K, S, head size), the prefix's keys.
        query: (F, K, R, T, G, head size), rotated and scaled.
        key: (F, K, R, T, head size), the branches' own keys, rotated.
        places: those of the branches' tokens.
    Returns:
        (F, K, R, T, G, S), those with the cached keys, and (F, K, R, T, G, T), those with the branch's own.
    """
    facts, kv_heads, rows, tokens, groups, _ = query.shape
    to_prefix = query.reshape(facts, kv_heads, -1, query.shape[-1]) @ cached.transpose(-1, -2)
    to_prefix = scoring.capped(to_prefix.view(facts, kv_heads, rows, tokens, groups, -1))
    if tokens == 1:
        to_self = (query * key[:, :, :, :, None, :]).sum(-1, keepdim=True)
    else:
        to_self = (query.flatten(3, 4) @ key.transpose(-1, -2)).view(facts, kv_heads, rows, tokens, groups, tokens)
    to_self = scoring.capped(to_self)
    if scoring.slopes is not None:
        of_prefix = scoring.by_position(torch.arange(cached.shape[2], device=cached.device))
        to_prefix = to_prefix + of_prefix.view(kv_heads, 1, 1, groups, -1)
        of_own = scoring.by_position(places.positions.to(query.device).flatten())
        to_self = to_self + of_own.view(kv_heads, groups, facts, rows, tokens).permute(2, 0, 3, 1, 4)[:, :, :, None]
    unseen, unseen_own = places.unseen(scoring, query.device)
    to_prefix = to_prefix.masked_fill(unseen[:, None, :, :, None], float("-inf"))
    if unseen_own is not None:
        to_self = to_self.masked_fill(unseen_own[:, None, :, :, None], float("-inf"))
    return to_prefix, to_self


def attend(adapter: Adapter, layer: int, prefix: Prefix, hidden: Tensor, places: Places) -> Tensor:
    """Apply one layer's attention to branches, which see what is cached before them and, causally, their own tokens.

    Two branches never see each other, and no score between them is computed.

    Args:
        prefix: the facts' prefix, with cached keys and values.
        hidden: (F, R, T, width), the residual stream that enters the layer, on any device.
        places: those of the branches' tokens.
    Returns:
        (F, R, T, size), the layer's middle, on the layer's device.
    """
    facts, rows, tokens, _ = hidden.shape
    hidden = adapter.enter(layer, hidden)
    query, key, value = adapter.attention_inputs(layer, hidden)
    query, key = (rotate(part, places.rotations[layer]) for part in (query, key))
    kv_heads, groups = adapter.n_kv_heads, adapter.n_heads // adapter.n_kv_heads
    # (F, K, R, T, G, head size) and (F, K, R, T, head size)
    scoring = adapter.scoring(layer)
    query = query.unflatten(3, (kv_heads, groups)).permute(0, 3, 1, 2, 4, 5) * scoring.scale
    key, value = (part.permute(0, 3, 1, 2, 4) for part in (key, value))

    scores = _scores(scoring, prefix.keys[layer], query, key, places)
    weights = torch.cat(scores, dim=-1).softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    to_prefix, to_self = weights.split((weights.shape[-1] - tokens, tokens), dim=-1)
    from_prefix = to_prefix.reshape(facts, kv_heads, rows * tokens * groups, -1) @ prefix.values[layer]
    from_prefix = from_prefix.view(query.shape)
    if tokens == 1:
        from_self = to_self * value[:, :, :, :, None, :]
    else:
        from_self = (to_self.flatten(3, 4) @ value).view(query.shape)
    attended = (from_prefix + from_self).permute(0, 2, 3, 1, 4, 5).flatten(3)
    return adapter.add_attention(layer, hidden, attended)
