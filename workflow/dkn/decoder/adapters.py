"""The adapters: one interface to the decoders of several model families.

A *neuron* is one coordinate of the vector that enters an MLP's down-projection; its *reading vector* is the weight
that the residual stream is multiplied by to make it, and its *writing vector* is what it adds to the stream. An adapter
names these tensors, and it cuts a decoder layer into the steps that a *branch* (``dkn.decoder.branches``) takes one by
one: queries, keys and values; the residual stream after attention; the neurons; the MLP's output. Every step calls the
Hugging Face modules of the loaded model, so that sizes, biases, tied embeddings and norms are the model's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import NewGELUActivation

NEURON_SITES = ("neurons", "preactivation")  # what enters the down-projection, and what enters the activation function


class Adapter(ABC):
    """One decoder stack, cut into the steps of a layer.

    Every ``hidden`` is the residual stream, (..., width), where ``width`` is the model's; the leading axes are free.

    Attributes:
        gated: whether a neuron is the product of an activated gate, which the reading vectors make, and another
            projection of the stream.
    """

    gated: bool = False

    def __init__(self, model: PreTrainedModel):
        self.model = model
        self.layers: Any  # the decoder's blocks; their types differ between families
        self.n_layers = model.config.num_hidden_layers
        self.width = model.config.hidden_size
        self.n_heads = model.config.num_attention_heads
        self.n_kv_heads = getattr(model.config, "num_key_value_heads", None) or self.n_heads
        window = getattr(model.config, "sliding_window", None) or model.config.max_position_embeddings
        self.context = min(window, model.config.max_position_embeddings)

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
    @abstractmethod
    def n_neurons(self) -> int:
        """Number of MLP neurons per layer."""

    @abstractmethod
    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Return what enters layer 0, (..., length, width), for token ids (..., length) at ``positions`` (length,)."""

    @abstractmethod
    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the rotary embedding's cosines and sines at ``positions``, or None for a model without one.

        Args:
            positions: any shape.
        Returns:
            Two tensors of that shape with one more axis, the head size.
        """

    @abstractmethod
    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries, keys and values of a layer, before rotation, for the stream that enters the layer.

        Returns:
            Queries (..., heads, head size), keys and values (..., key-value heads, head size).
        """

    @abstractmethod
    def attention_scale(self, layer: int) -> float:
        """Return the factor that the layer multiplies products of queries and keys by."""

    @abstractmethod
    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the residual stream after attention.

        Args:
            hidden: the stream that entered the layer.
            attended: (..., heads * head size), the heads' results before the output projection.
        """

    @abstractmethod
    def preactivation(self, layer: int, hidden: Tensor) -> Tensor:
        """Return what enters the MLP's activation function, (..., n_neurons), for the stream after attention."""

    @abstractmethod
    def activate(self, layer: int, preactivation: Tensor, hidden: Tensor) -> Tensor:
        """Return the neurons, (..., n_neurons), from what enters the activation function.

        Args:
            preactivation: (..., n_neurons), a result of ``preactivation``.
            hidden: the residual stream after attention, which gated MLPs read a second time.
        """

    def neurons(self, layer: int, hidden: Tensor) -> Tensor:
        """Return the MLP's neurons, (..., n_neurons), for the residual stream after attention."""
        return self.activate(layer, self.preactivation(layer, hidden), hidden)

    @abstractmethod
    def mlp_output(self, layer: int, neurons: Tensor) -> Tensor:
        """Return the down-projection of the neurons with its bias, (..., width)."""

    @abstractmethod
    def final_norm(self, hidden: Tensor) -> Tensor:
        """Return the final residual stream after the last norm, ready for ``unembed``."""

    @abstractmethod
    def reading(self, layer: int) -> Tensor:
        """Return the layer's reading vectors, (n_neurons, width), as a view of the model's weight."""

    @abstractmethod
    def reading_bias(self, layer: int) -> Tensor | None:
        """Return the bias that is added to the products with the reading vectors, (n_neurons,), or None."""

    @abstractmethod
    def writing(self, layer: int) -> Tensor:
        """Return the layer's writing vectors, (n_neurons, width), as a view of the model's weight."""

    @abstractmethod
    def projections(self, layer: int) -> tuple[nn.Module, nn.Module]:
        """Return the modules that hold the layer's reading vectors and its writing vectors."""

    @abstractmethod
    def mlp_norm_gain(self, layer: int) -> Tensor:
        """Return the gain of the norm in front of the layer's MLP, (width,)."""

    def add_mlp(self, layer: int, hidden: Tensor, output: Tensor) -> Tensor:
        """Return the residual stream after the MLP, from the stream before it and a result of ``mlp_output``."""
        return hidden + output

    def unembed(self, normed: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the logits of a result of ``final_norm``, (..., vocabulary), in float32.

        Args:
            normed: (..., width).
            out: a float32 tensor of the result's shape to write the logits into; None allocates one.
        """
        return torch.matmul(normed, self.unembedding.T, out=out).float()

    @property
    def unembedding(self) -> Tensor:
        """The matrix that ``unembed`` multiplies by, (vocabulary, width)."""
        return self.model.get_output_embeddings().weight


class GPT2Adapter(Adapter):
    """GPT-2: learned positions, LayerNorm, one projection for queries, keys and values, an MLP without a gate."""

    def __init__(self, model: PreTrainedModel):
        super().__init__(model)
        self.layers = model.transformer.h
        self._activation = model.transformer.h[0].mlp.act
        if isinstance(self._activation, NewGELUActivation):  # the same function in one kernel instead of eight
            self._activation = nn.GELU(approximate="tanh")

    @property
    def n_neurons(self) -> int:
        return self.layers[0].mlp.c_proj.weight.shape[0]

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return self.model.transformer.wte(tokens) + self.model.transformer.wpe(positions)

    def rotation(self, positions: Tensor) -> None:
        return None

    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        block = self.layers[layer]
        fused = block.attn.c_attn(block.ln_1(hidden))
        query, key, value = fused.unflatten(-1, (3, self.n_heads, -1)).unbind(-3)
        return query, key, value

    def attention_scale(self, layer: int) -> float:
        return self.layers[layer].attn.scaling

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        return hidden + self.layers[layer].attn.c_proj(attended)

    def preactivation(self, layer: int, hidden: Tensor) -> Tensor:
        block = self.layers[layer]
        return block.mlp.c_fc(block.ln_2(hidden))

    def activate(self, layer: int, preactivation: Tensor, hidden: Tensor) -> Tensor:
        return self._activation(preactivation)

    def mlp_output(self, layer: int, neurons: Tensor) -> Tensor:
        return self.layers[layer].mlp.c_proj(neurons)

    def final_norm(self, hidden: Tensor) -> Tensor:
        return self.model.transformer.ln_f(hidden)

    def reading(self, layer: int) -> Tensor:
        return self.layers[layer].mlp.c_fc.weight.T

    def reading_bias(self, layer: int) -> Tensor | None:
        return self.layers[layer].mlp.c_fc.bias

    def writing(self, layer: int) -> Tensor:
        return self.layers[layer].mlp.c_proj.weight

    def projections(self, layer: int) -> tuple[nn.Module, nn.Module]:
        return self.layers[layer].mlp.c_fc, self.layers[layer].mlp.c_proj

    def mlp_norm_gain(self, layer: int) -> Tensor:
        return self.layers[layer].ln_2.weight


def _rotate_half(vectors: Tensor) -> Tensor:
    """Return (..., head size) vectors with the second half of the coordinates, negated, before the first half."""
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def rotate(vectors: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """Return queries or keys with their positions encoded by rotation.

    Args:
        vectors: (..., heads, head size).
        rotation: cosines and sines, (..., head size) each; None returns ``vectors`` as they are.
    """
    if rotation is None:
        return vectors
    cosine, sine = (part.unsqueeze(-2).to(vectors.device) for part in rotation)
    return vectors * cosine + _rotate_half(vectors) * sine


class LlamaAdapter(Adapter):
    """LLaMA and the families of its shape: rotary positions, RMSNorm, grouped-query attention, a gated MLP."""

    gated = True

    def __init__(self, model: PreTrainedModel):
        super().__init__(model)
        self.layers = model.model.layers

    @property
    def n_neurons(self) -> int:
        return self.layers[0].mlp.down_proj.weight.shape[1]

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return self.model.model.embed_tokens(tokens)  # Gemma's module scales by itself

    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        dtype_and_device = torch.empty(0, dtype=self.model.dtype, device=positions.device)
        cosine, sine = self.model.model.rotary_emb(dtype_and_device, positions.reshape(1, -1))
        return cosine.reshape(*positions.shape, -1), sine.reshape(*positions.shape, -1)

    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        block = self.layers[layer]
        normed = block.input_layernorm(hidden)
        attention = block.self_attn
        query, key, value = (
            projection(normed).unflatten(-1, (-1, attention.head_dim))
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):  # Qwen3 normalises every head
            query, key = attention.q_norm(query), attention.k_norm(key)
        return query, key, value

    def attention_scale(self, layer: int) -> float:
        return self.layers[layer].self_attn.scaling

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        return hidden + self.layers[layer].self_attn.o_proj(attended)

    def mlp_input(self, layer: int, hidden: Tensor) -> Tensor:
        """Return what the gate and up projections read, (..., width), for the residual stream after attention."""
        return self.layers[layer].post_attention_layernorm(hidden)

    def preactivation(self, layer: int, hidden: Tensor) -> Tensor:
        return self.layers[layer].mlp.gate_proj(self.mlp_input(layer, hidden))

    def activate(self, layer: int, preactivation: Tensor, hidden: Tensor) -> Tensor:
        mlp = self.layers[layer].mlp
        return mlp.act_fn(preactivation) * mlp.up_proj(self.mlp_input(layer, hidden))

    def neurons(self, layer: int, hidden: Tensor) -> Tensor:
        mlp, normed = self.layers[layer].mlp, self.mlp_input(layer, hidden)  # both projections share one norm
        return mlp.act_fn(mlp.gate_proj(normed)) * mlp.up_proj(normed)

    def mlp_output(self, layer: int, neurons: Tensor) -> Tensor:
        return self.layers[layer].mlp.down_proj(neurons)

    def final_norm(self, hidden: Tensor) -> Tensor:
        return self.model.model.norm(hidden)

    def reading(self, layer: int) -> Tensor:
        return self.layers[layer].mlp.gate_proj.weight

    def reading_bias(self, layer: int) -> Tensor | None:
        return self.layers[layer].mlp.gate_proj.bias

    def writing(self, layer: int) -> Tensor:
        return self.layers[layer].mlp.down_proj.weight.T

    def projections(self, layer: int) -> tuple[nn.Module, nn.Module]:
        return self.layers[layer].mlp.gate_proj, self.layers[layer].mlp.down_proj

    def mlp_norm_gain(self, layer: int) -> Tensor:
        return self.layers[layer].post_attention_layernorm.weight


class Olmo2Adapter(LlamaAdapter):
    """OLMo 2: LLaMA's shape with norms after attention and after the MLP, and on all queries and keys at once."""

    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        attention = self.layers[layer].self_attn
        query, key = attention.q_norm(attention.q_proj(hidden)), attention.k_norm(attention.k_proj(hidden))
        query, key, value = (
            part.unflatten(-1, (-1, attention.head_dim)) for part in (query, key, attention.v_proj(hidden))
        )
        return query, key, value

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        block = self.layers[layer]
        return hidden + block.post_attention_layernorm(block.self_attn.o_proj(attended))

    def mlp_input(self, layer: int, hidden: Tensor) -> Tensor:
        return hidden

    def add_mlp(self, layer: int, hidden: Tensor, output: Tensor) -> Tensor:
        return hidden + self.layers[layer].post_feedforward_layernorm(output)

    def mlp_norm_gain(self, layer: int) -> Tensor:
        return torch.ones(self.width, device=self.layer_device(layer))  # no norm in front of the MLP


class GemmaAdapter(LlamaAdapter):
    """Gemma: LLaMA's shape; the gain of a norm is one more than its weight."""

    def mlp_norm_gain(self, layer: int) -> Tensor:
        return 1 + super().mlp_norm_gain(layer)


class GraniteAdapter(LlamaAdapter):
    """Granite: LLaMA's shape with factors on embeddings, on what a layer adds to the stream, and on logits."""

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return super().embed(tokens, positions) * self.model.config.embedding_multiplier

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        block = self.layers[layer]
        return hidden + block.self_attn.o_proj(attended) * block.residual_multiplier

    def add_mlp(self, layer: int, hidden: Tensor, output: Tensor) -> Tensor:
        return hidden + output * self.layers[layer].residual_multiplier

    def final_norm(self, hidden: Tensor) -> Tensor:
        return super().final_norm(hidden) / self.model.config.logits_scaling  # so that ``unembed`` is one product


FAMILIES: dict[str, type[Adapter]] = {
    "gpt2": GPT2Adapter,
    "llama": LlamaAdapter,
    "mistral": LlamaAdapter,
    "qwen2": LlamaAdapter,
    "qwen3": LlamaAdapter,
    "gemma": GemmaAdapter,
    "olmo2": Olmo2Adapter,
    "granite": GraniteAdapter,
}
