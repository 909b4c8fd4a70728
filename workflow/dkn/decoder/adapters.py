"""The adapter: one interface to the decoders of many model families.

A *neuron* is one coordinate of the vector that enters an MLP's down-projection; its *reading vector* is the weight
that the residual stream is multiplied by to make it, and its *writing vector* is what it adds to the stream. The
adapter names these tensors, and it cuts a decoder layer into the steps that a *branch* (``dkn.decoder.branches``) takes
one by one: queries, keys and values; the stream after attention; the neurons; the MLP's output. It follows the
description of the family in ``dkn.families``, and every step calls the Hugging Face modules of the loaded model,
so that sizes, biases, tied embeddings and norms are the model's own.

What stands between a layer's attention and its MLP is called its *middle*. It is the residual stream after attention,
(..., width). In a parallel layer the MLP reads the stream that entered the layer; there the middle is both streams side
by side, (..., 2 width). Nothing but the adapter looks into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from dkn.decoder.attention import Rotation, Scoring, alibi_slopes
from dkn.decoder.products import times_rows
from dkn.errors import UserError
from dkn.families import BLOCKS, FAMILIES, PAIRS, PAIRS_FROM_HALVES, UNSTATED_CONTEXT, Family

_TANH_GELUS = ("NewGELUActivation", "BloomGelu")  # by name: to import a family's module takes time in every job
NEURON_SITES = ("neurons", "preactivation")  # what enters the down-projection, and what enters the activation function


def _module(parent: Any, path: str | None) -> Any:
    """Return the module at a path of attributes; the parent for an empty path, None for no path."""
    return parent if path == "" else attrgetter(path)(parent) if path else None


def _rows(projection: Any) -> Tensor:
    """Return the weight of a ``Linear`` or a ``Conv1D`` as a view of shape (outputs, inputs)."""
    return projection.weight.T if isinstance(projection, Conv1D) else projection.weight


def _normed(norm: Any, heads: Tensor) -> Tensor:
    """Return queries or keys, (..., heads, head size), after a norm of every head, or after a norm for each head."""
    if hasattr(norm, "norms"):
        return torch.stack([own(heads[..., head, :]) for head, own in enumerate(norm.norms)], dim=-2)
    return norm(heads)


@dataclass(frozen=True)
class _Layer:
    """The modules of one layer, as ``Family`` names them; None where the family has no such module."""

    attention: Any
    projections: list[Any]
    query_key_norms: list[Any]
    output: Any
    before_attention: Any
    after_attention: Any
    before_mlp: Any
    after_mlp: Any
    after_sums: list[Any]
    first: Any  # makes what enters the activation function
    up: Any  # the other projection of an MLP with a gate, where it is a module of its own
    down: Any
    activation: Any

    @classmethod
    def of(cls, block: nn.Module, family: Family) -> _Layer:
        """Return the modules of a decoder block."""
        attention, mlp = _module(block, family.attention), _module(block, family.mlp)
        activation = _module(mlp, family.activation)
        if type(activation).__name__ in _TANH_GELUS:  # the same function in one kernel instead of eight
            activation = nn.GELU(approximate="tanh")
        return cls(
            attention,
            [_module(attention, name) for name in family.projections],
            [_module(attention, name) for name in family.query_key_norms or ()],
            _module(attention, family.output),
            _module(block, family.before_attention),
            _module(block, family.after_attention),
            _module(block, family.before_mlp),
            _module(block, family.after_mlp),
            [_module(block, name) for name in family.after_sums or ()],
            _module(mlp, family.gate_and_up or family.gate or family.up),
            _module(mlp, family.up) if family.gate else None,
            _module(mlp, family.down),
            activation,
        )


class Adapter:
    """One decoder stack, cut into the steps of a layer.

    Every ``hidden`` is the residual stream, (..., width), where ``width`` is the model's; the leading axes are free.

    Attributes:
        family: the description of the model.
        layers: the decoder's blocks.
        gated: whether a neuron is the product of an activated gate, which the reading vectors make, and another
            projection of the stream.
        context: the most tokens of a text.
    """

    def __init__(self, model: PreTrainedModel):
        self.model = model
        config = model.config
        self.family = FAMILIES[config.model_type].member(config)
        self.gated = self.family.gated
        self.body: Any = _module(model, self.family.body)
        self.layers: Any = _module(self.body, self.family.layers)
        self._layers = [_Layer.of(block, self.family) for block in self.layers]
        self.n_layers = config.num_hidden_layers
        self.width = config.hidden_size
        self.n_heads = config.num_attention_heads
        self.head_size = getattr(config, "head_dim", None) or self.width // self.n_heads
        made = _rows(self._layers[0].projections[-1]).shape[0] // self.head_size  # heads of the last projection
        self.n_kv_heads = (made - self.n_heads) // 2 if self.family.fused else made
        self.context = _context(config, self.family)
        self._logits_factor = _factor(config, self.family.logits_factor, self.family.logits_divisor)
        self._cap = getattr(config, self.family.logits_cap) if self.family.logits_cap else None
        self._windows = [_window(config, self.family, layer) for layer in range(self.n_layers)]
        self._scorings = [self._scoring(layer) for layer in range(self.n_layers)]

    @property
    def device(self) -> torch.device:
        """The device of everything but the layers: it takes token ids and gives logits."""
        return self.unembedding.device

    def layer_device(self, layer: int) -> torch.device:
        """Return the device of a layer's weights; ``dkn.decoder.placement`` may spread a model over several devices."""
        return self.writing(layer).device

    @property
    def devices(self) -> list[torch.device]:
        """All devices that hold a part of the model, each once, that of the embeddings first."""
        return list(dict.fromkeys([self.device, *map(self.layer_device, range(self.n_layers))]))

    def enter(self, layer: int, hidden: Tensor) -> Tensor:
        """Return the residual stream on the device of ``layer``, the layer that it enters next."""
        return hidden.to(self.layer_device(layer))

    @property
    def n_neurons(self) -> int:
        """Number of MLP neurons per layer."""
        return _rows(self._layers[0].down).shape[1]

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Return what enters layer 0, (..., length, width), for token ids (..., length) at ``positions`` (length,)."""
        family = self.family
        hidden = _module(self.body, family.embedding)(tokens)  # Gemma's module scales by itself
        for name in family.embedded:
            module = getattr(self.body, name)
            hidden = hidden if module is None else module(hidden)
        if family.positions:
            table = _module(self.body, family.positions).weight
            hidden = hidden + functional.embedding(positions + family.first_position, table)
        return hidden * getattr(self.model.config, family.embedding_factor) if family.embedding_factor else hidden

    def _turns(self, layer: int) -> bool:
        """Tell whether a layer turns queries and keys by position."""
        if self.family.turned == "windowed":
            return self._windows[layer] is not None or not any(self._windows)
        return self.family.turned is None or bool(getattr(self._layers[layer].attention, self.family.turned))

    def rotations(self, positions: Tensor) -> list[Rotation | None]:
        """Return how each layer turns queries and keys at ``positions``, of any shape; None where it does not."""
        family = self.family
        if family.rotation is None:
            return [None] * self.n_layers
        rotary = getattr(self.body, "rotary_emb", None)
        kinds = self.model.config.layer_types if getattr(rotary, "layer_types", None) else [None] * self.n_layers
        found = {kind: self._rotation(rotary, kind, positions) for kind in dict.fromkeys(kinds)}
        return [found[kind] if self._turns(layer) else None for layer, kind in enumerate(kinds)]

    def _rotation(self, rotary: Any, kind: str | None, positions: Tensor) -> Rotation:
        """Return the rotation at ``positions`` in layers of one kind; None is the only kind."""
        flat, pairs = positions.reshape(1, -1), self.family.rotation in (PAIRS, PAIRS_FROM_HALVES)
        if self.family.rotation_table:
            table = getattr(self._layers[0].attention, self.family.rotation_table).to(positions.device)
            sine, cosine = (part.repeat_interleave(2, -1) for part in table[flat].to(self.model.dtype).chunk(2, -1))
        else:
            dtype_and_device = torch.empty(0, dtype=self.model.dtype, device=positions.device)
            cosine, sine = rotary(dtype_and_device, flat, *([kind] if kind else []))
            if self.family.rotation == PAIRS_FROM_HALVES:
                cosine, sine = (part.chunk(2, -1)[0].repeat_interleave(2, -1) for part in (cosine, sine))
        return Rotation(cosine.reshape(*positions.shape, -1), sine.reshape(*positions.shape, -1), pairs)

    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries, keys and values of a layer, before rotation, for the stream that enters the layer.

        Returns:
            Queries (..., heads, head size), keys and values (..., key-value heads, head size).
        """
        parts, family = self._layers[layer], self.family
        normed = hidden if parts.before_attention is None else parts.before_attention(hidden)
        made = [projection(normed) for projection in parts.projections]
        if family.clip and (limit := getattr(self.model.config, family.clip)) is not None:
            made = [part.clamp(-limit, limit) for part in made]
        norms = parts.query_key_norms
        if norms and family.normed_whole:
            made = [norms[0](made[0]), norms[1](made[1]), made[2]]
        query, key, value = self._heads(made)
        if norms and not family.normed_whole:
            query, key = _normed(norms[0], query), _normed(norms[1], key)
        return query, key, value

    def _heads(self, made: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values by head from what the projections made."""
        heads = [part.unflatten(-1, (-1, self.head_size)) for part in made]
        if len(heads) == 3:
            return heads[0], heads[1], heads[2]
        if self.family.fused == BLOCKS:
            query, key, value = heads[0].split((self.n_heads, self.n_kv_heads, self.n_kv_heads), dim=-2)
            return query, key, value
        groups = heads[0].unflatten(-2, (self.n_kv_heads, -1))
        return groups[..., :-2, :].flatten(-3, -2), groups[..., -2, :], groups[..., -1, :]

    def scoring(self, layer: int) -> Scoring:
        """Return how the layer's attention scores come from products of queries and keys."""
        return self._scorings[layer]

    def _scoring(self, layer: int) -> Scoring:
        """Return the same from the family's description and the model's config."""
        family = self.family
        scale = family.scale
        if isinstance(scale, str):
            scale = float(getattr(self._layers[layer].attention, scale))
        elif scale is None:
            scale = self.head_size**-0.5
        cap = getattr(self.model.config, family.scores_cap) if family.scores_cap else None
        if family.slopes is None:
            return Scoring(scale, cap, self._windows[layer])
        slopes = alibi_slopes(self.n_heads)
        if family.slopes == "scaled":  # as Falcon's are, which rounds slopes and their products to bfloat16
            return Scoring(scale, cap, self._windows[layer], slopes.bfloat16(), scale)
        return Scoring(scale, cap, self._windows[layer], slopes)

    def _added(self, layer: int, stream: Tensor, part: Tensor, norm: Any, after_sum: int) -> Tensor:
        """Return the residual stream after what attention or the MLP adds to it.

        Args:
            norm: the norm on what is added, or None.
            after_sum: the index of the norm on the sum, for families with such norms.
        """
        part = part if norm is None else norm(part)
        if self.family.residual_factor:
            part = part * getattr(self.model.config, self.family.residual_factor)
        norms = self._layers[layer].after_sums
        return norms[after_sum](stream + part) if norms else stream + part

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the layer's middle.

        Args:
            hidden: the stream that entered the layer.
            attended: (..., heads * head size), the heads' results before the output projection.
        """
        parts = self._layers[layer]
        after = self._added(layer, hidden, parts.output(attended), parts.after_attention, 0)
        return torch.cat((after, hidden), dim=-1) if self.family.parallel else after

    def _read(self, layer: int, middle: Tensor) -> Tensor:
        """Return what the layer's MLP reads, (..., width), after the norm in front of it."""
        norm = self._layers[layer].before_mlp
        hidden = middle[..., self.width :] if self.family.parallel else middle
        return hidden if norm is None else norm(hidden)

    def preactivation(self, layer: int, middle: Tensor) -> Tensor:
        """Return what enters the MLP's activation function, (..., n_neurons), for the layer's middle."""
        made = self._layers[layer].first(self._read(layer, middle))
        return made.chunk(2, dim=-1)[0] if self.family.gate_and_up else made

    def activate(self, layer: int, preactivation: Tensor, middle: Tensor) -> Tensor:
        """Return the neurons, (..., n_neurons), from what enters the activation function.

        Args:
            preactivation: (..., n_neurons), a result of ``preactivation``.
            middle: the layer's middle, which gated MLPs read a second time.
        """
        parts = self._layers[layer]
        activated = parts.activation(preactivation)
        if not self.gated:
            return activated
        normed = self._read(layer, middle)
        return activated * (parts.up(normed) if parts.up is not None else parts.first(normed).chunk(2, dim=-1)[1])

    def neurons(self, layer: int, middle: Tensor) -> Tensor:
        """Return the MLP's neurons, (..., n_neurons), for the layer's middle."""
        parts, normed = self._layers[layer], self._read(layer, middle)
        if not self.gated:
            return parts.activation(parts.first(normed))
        gate, up = (parts.first(normed), parts.up(normed)) if parts.up is not None else parts.first(normed).chunk(2, -1)
        return parts.activation(gate) * up

    def mlp_output(self, layer: int, neurons: Tensor) -> Tensor:
        """Return the down-projection of the neurons with its bias, (..., width)."""
        return self._layers[layer].down(neurons)

    def silent_output(self, layer: int) -> Tensor:
        """Return ``mlp_output`` of neurons that are all zero, (width,): the bias of the down-projection, if any."""
        bias = self._layers[layer].down.bias
        return self.writing(layer).new_zeros(self.width) if bias is None else bias

    def add_mlp(self, layer: int, middle: Tensor, output: Tensor) -> Tensor:
        """Return the residual stream after the MLP, from the layer's middle and a result of ``mlp_output``."""
        stream = middle[..., : self.width] if self.family.parallel else middle
        return self._added(layer, stream, output, self._layers[layer].after_mlp, 1)

    def final_norm(self, hidden: Tensor) -> Tensor:
        """Return the final residual stream after the last norm, ready for ``unembed``."""
        for name in self.family.final:
            module = _module(self.body, name)
            hidden = hidden if module is None else module(hidden)
        return hidden if self._logits_factor is None else hidden * self._logits_factor

    def reading(self, layer: int) -> Tensor:
        """Return the layer's reading vectors, (n_neurons, width), as a view of the model's weight."""
        return _rows(self._layers[layer].first)[: self.n_neurons]

    def reading_bias(self, layer: int) -> Tensor | None:
        """Return the bias that is added to the products with the reading vectors, (n_neurons,), or None."""
        bias = self._layers[layer].first.bias
        return None if bias is None else bias[: self.n_neurons]

    def writing(self, layer: int) -> Tensor:
        """Return the layer's writing vectors, (n_neurons, width), as a view of the model's weight."""
        return _rows(self._layers[layer].down).T

    def projections(self, layer: int) -> tuple[nn.Module, nn.Module]:
        """Return the modules that hold the layer's reading vectors, before any others, and its writing vectors."""
        return self._layers[layer].first, self._layers[layer].down

    def mlp_norm_gain(self, layer: int) -> Tensor:
        """Return the gain of the norm in front of the layer's MLP, (width,); ones where there is none."""
        weight = getattr(self._layers[layer].before_mlp, "weight", None)
        if weight is None:
            return torch.ones(self.width, device=self.layer_device(layer))
        return self.family.gain_offset + weight

    def unembed(self, normed: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the logits of a result of ``final_norm``, (..., vocabulary), in float32.

        Args:
            normed: (..., width of the unembedding).
            out: a float32 tensor of the result's shape to write the logits into; None allocates one.
        """
        logits = times_rows(normed, self.unembedding, out).float()
        bias = self.model.get_output_embeddings().bias
        if bias is not None:
            logits += bias
        return logits if self._cap is None else logits.div_(self._cap).tanh_().mul_(self._cap)

    def logits_slope(self, logits: Tensor) -> Tensor | None:
        """Return the derivative of logits by the products with ``unembedding``, of their shape; None if it is one."""
        return None if self._cap is None else 1 - (logits / self._cap).square_()

    @property
    def unembedding(self) -> Tensor:
        """The matrix that ``unembed`` multiplies by, (vocabulary, width)."""
        return self.model.get_output_embeddings().weight


def _context(config: Any, family: Family) -> int:
    """Return the most tokens of a text. Beyond LongRoPE's first limit all positions would turn otherwise."""
    longest = getattr(config, family.longest) if family.longest else UNSTATED_CONTEXT
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        return min(longest, rope.get("original_max_position_embeddings") or longest)
    return longest


def _factor(config: Any, times: str | None, over: str | None) -> float | None:
    """Return the factor of logits that a config states, or None; a factor of the last norm's result does the same."""
    return getattr(config, times) if times else 1 / getattr(config, over) if over else None


def _window(config: Any, family: Family, layer: int) -> int | None:
    """Return the sliding window of a layer in positions, or None.

    Raises:
        UserError: the config states one that no model can have.
    """
    if family.window is None:
        return None
    types, windowed, size = family.window
    kinds = getattr(config, types, None) if types else [windowed] * config.num_hidden_layers
    window = getattr(config, size, None) if kinds and kinds[layer] == windowed else None
    if window is not None and window < 1:
        raise UserError(f"config.json says {size} {window}; allowed: whole numbers from 1, or null for none")
    return window
