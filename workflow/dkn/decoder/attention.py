"""What families of decoders do differently between queries and keys: rotation, caps, sliding windows and ALiBi.

Shapes name these axes: sequences B, positions S, key-value heads K.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Rotation:
    """How queries and keys are turned at some positions.

    Attributes:
        cosine, sine: (..., turned), where the leading axes are those of the positions; the coordinates of a head beyond
            the first ``turned`` stay as they are.
        pairs: whether coordinate 2i turns with 2i + 1; otherwise coordinate i turns with i + turned / 2.
    """

    cosine: Tensor
    sine: Tensor
    pairs: bool = False

    def first(self, rows: int) -> Rotation:
        """Return the rotation of the first rows on the second axis of the positions."""
        return Rotation(self.cosine[:, :rows], self.sine[:, :rows], self.pairs)


def _turned_by_a_quarter(vectors: Tensor, pairs: bool) -> Tensor:
    """Return vectors whose pairs of coordinates (a, b) have become (-b, a)."""
    if pairs:
        return torch.stack((-vectors[..., 1::2], vectors[..., ::2]), dim=-1).flatten(-2)
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def rotate(vectors: Tensor, rotation: Rotation | None) -> Tensor:
    """Return queries or keys with their positions encoded by rotation.

    Args:
        vectors: (..., heads, head size).
        rotation: that of their positions; None returns ``vectors`` as they are.
    """
    if rotation is None:
        return vectors
    cosine, sine = (part.unsqueeze(-2).to(vectors.device) for part in (rotation.cosine, rotation.sine))
    turned = cosine.shape[-1]
    front, rest = vectors[..., :turned], vectors[..., turned:]
    front = (front * cosine + _turned_by_a_quarter(front, rotation.pairs) * sine).to(
        vectors.dtype
    )  # OLMo's are float32
    return torch.cat((front, rest), dim=-1) if rest.shape[-1] else front


def alibi_slopes(heads: int) -> Tensor:
    """Return ALiBi's slope of each head, (heads,) (Press et al. 2022, section 3).

    For a power of two they are 2^(-8/heads), 2^(-16/heads), …; otherwise those of the power below come first, then
    every second one of twice that power.
    """
    power = 2 ** (heads.bit_length() - 1)
    exponents = [-8 * place / power for place in range(1, power + 1)]
    exponents += [-4 * place / power for place in range(1, 2 * (heads - power), 2)]
    return torch.tensor([2.0**exponent for exponent in exponents])


@dataclass(frozen=True)
class Scoring:
    """How a layer's attention scores come from products of queries and keys.

    Attributes:
        scale: the factor of the products.
        cap: c, where scores are then c tanh(score / c).
        window: how many positions, up to its own, a query sees; None for all.
        slopes: (heads,), which are multiplied by the key's position and added; None for nothing. The products with
            positions are rounded to the slopes' type of numbers.
        slopes_scale: the factor of what is added.
    """

    scale: float
    cap: float | None = None
    window: int | None = None
    slopes: Tensor | None = None
    slopes_scale: float = 1.0

    def capped(self, scores: Tensor) -> Tensor:
        """Return scaled scores with the cap, if there is one."""
        return scores if self.cap is None else (scores / self.cap).tanh() * self.cap

    def by_position(self, positions: Tensor) -> Tensor:
        """Return what slopes add to scores for keys at some positions (n,), (heads, n) float32."""
        assert self.slopes is not None
        return (self.slopes.to(positions.device)[:, None] * positions).float() * self.slopes_scale

    def out_of_window(self, keys: Tensor, queries: Tensor) -> Tensor:
        """Return which keys lie before the window of a query, from their positions, which are broadcast."""
        assert self.window is not None
        return keys <= queries - self.window


def causal_attention(scoring: Scoring, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the heads' results of causal attention, (B, S, heads * head size), for B whole sequences.

    Args:
        query: (B, S, heads, head size), rotated.
        key, value: (B, S, K, head size); keys are rotated.
    """
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    length, grouped = query.shape[2], query.shape[1] != key.shape[1]
    windowed = scoring.window is not None and scoring.window < length
    if not windowed and scoring.slopes is None and scoring.cap is None:
        attended = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scoring.scale, enable_gqa=grouped
        )
        return attended.transpose(1, 2).flatten(2)
    places = torch.arange(length, device=query.device)
    hidden = places > places[:, None]
    if windowed:
        hidden = hidden | scoring.out_of_window(places, places[:, None])
    mask = torch.zeros(hidden.shape, device=query.device).masked_fill(hidden, float("-inf"))
    if scoring.slopes is not None:
        mask = mask + scoring.by_position(places)[:, None]
    if scoring.cap is None:
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask.to(query.dtype), scale=scoring.scale, enable_gqa=grouped
        )
    else:
        if grouped:
            key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], dim=1) for part in (key, value))
        scores = scoring.capped(query @ key.transpose(-1, -2) * scoring.scale) + mask
        attended = scores.softmax(-1, dtype=torch.float32).to(value.dtype) @ value
    return attended.transpose(1, 2).flatten(2)
