"""The family adapters: one interface to the decoders of several families.

An adapter names the tensors of docs/method.md (neurons, reading and writing vectors) and cuts a decoder layer into
the three steps that branches need: queries/keys/values, the attention's residual, the neurons. Every step calls the
Hugging Face modules of the loaded model, so sizes, biases, tied embeddings and norms are the model's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import NewGELUActivation


class Adapter(ABC):
    """One decoder stack, cut where branches enter. Hidden states are (..., model width); leading axes are free."""

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
        """Where everything but the layers is: token ids have to be there, and logits come from there."""
        return self.unembedding.device

    def layer_device(self, layer: int) -> torch.device:
        """Where a layer's weights are; a model may be spread over several devices (``dkn.placement``)."""
        return self.writing(layer).device

    @property
    def devices(self) -> list[torch.device]:
        """All devices that hold some of the model, each once."""
        return list(dict.fromkeys([self.device, *map(self.layer_device, range(self.n_layers))]))

    def enter(self, layer: int, hidden: Tensor) -> Tensor:
        """The residual stream on the device of the layer that it goes into next."""
        return hidden.to(self.layer_device(layer))

    @property
    @abstractmethod
    def n_neurons(self) -> int:
        """MLP neurons per layer."""

    @abstractmethod
    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Token ids (..., length) at positions (length,) -> (..., length, width): what enters layer 0."""

    @abstractmethod
    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor] | None:
        """Rotary cosines and sines at ``positions`` (any shape), each (*positions, head size); None without RoPE."""

    @abstractmethod
    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (..., heads, head size), keys and values (..., key-value heads, head size), before rotation."""

    @abstractmethod
    def attention_scale(self, layer: int) -> float:
        """What query-key products are multiplied by."""

    @abstractmethod
    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        """The residual stream after attention; ``attended`` is (..., heads * head size)."""

    @abstractmethod
    def preactivation(self, layer: int, hidden: Tensor) -> Tensor:
        """What enters the MLP's activation function (..., n_neurons), for the residual stream after attention."""

    @abstractmethod
    def activate(self, layer: int, preactivation: Tensor, hidden: Tensor) -> Tensor:
        """The neurons (..., n_neurons) made of what enters the activation function; gated MLPs read the stream too."""

    def neurons(self, layer: int, hidden: Tensor) -> Tensor:
        """The MLP's neurons (..., n_neurons) for the residual stream after attention (docs/method.md)."""
        return self.activate(layer, self.preactivation(layer, hidden), hidden)

    @abstractmethod
    def mlp_output(self, layer: int, neurons: Tensor) -> Tensor:
        """What the down-projection makes of the neurons, bias included: (..., width)."""

    @abstractmethod
    def final_norm(self, hidden: Tensor) -> Tensor:
        """The last norm before the unembedding."""

    @abstractmethod
    def reading(self, layer: int) -> Tensor:
        """Reading vectors, one row per neuron: (n_neurons, width), a view of the model's weight."""

    @abstractmethod
    def reading_bias(self, layer: int) -> Tensor | None:
        """What is added to the products with the reading vectors, (n_neurons,); None where nothing is."""

    @abstractmethod
    def writing(self, layer: int) -> Tensor:
        """Writing vectors, one row per neuron: (n_neurons, width), a view of the model's weight."""

    @abstractmethod
    def projections(self, layer: int) -> tuple[nn.Module, nn.Module]:
        """The modules that apply the layer's reading and its writing vectors."""

    @abstractmethod
    def mlp_norm_gain(self, layer: int) -> Tensor:
        """The gain of the norm in front of the MLP: (width,)."""

    def add_mlp(self, layer: int, hidden: Tensor, output: Tensor) -> Tensor:
        """The residual stream after the MLP, from the stream before it and ``mlp_output``."""
        return hidden + output

    def unembed(self, normed: Tensor, out: Tensor | None = None) -> Tensor:
        """Logits of the normed final residual stream, in float32: (..., vocabulary).

        Args:
            out: where float32 logits are written, if given.
        """
        return torch.matmul(normed, self.unembedding.T, out=out).float()

    @property
    def unembedding(self) -> Tensor:
        """(vocabulary, width): the matrix by which ``unembed`` makes logits."""
        return self.model.get_output_embeddings().weight


class GPT2Adapter(Adapter):
    """GPT-2: learned positions, LayerNorm, fused query/key/value projection, one-matrix MLP."""

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
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def rotate(vectors: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """Rotary position embedding of (..., heads, head size) by (..., head size) cosines and sines."""
    if rotation is None:
        return vectors
    cosine, sine = (part.unsqueeze(-2).to(vectors.device) for part in rotation)
    return vectors * cosine + _rotate_half(vectors) * sine


class LlamaAdapter(Adapter):
    """LLaMA and what shares its shape: RoPE, RMSNorm, grouped-query attention, gated MLP."""

    def __init__(self, model: PreTrainedModel):
        super().__init__(model)
        self.layers = model.model.layers

    @property
    def n_neurons(self) -> int:
        return self.layers[0].mlp.down_proj.weight.shape[1]

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return self.model.model.embed_tokens(tokens)  # Gemma's scales by itself

    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        like = torch.empty(0, dtype=self.model.dtype, device=positions.device)
        cosine, sine = self.model.model.rotary_emb(like, positions.reshape(1, -1))
        return cosine.reshape(*positions.shape, -1), sine.reshape(*positions.shape, -1)

    def attention_inputs(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        block = self.layers[layer]
        normed = block.input_layernorm(hidden)
        attention = block.self_attn
        query, key, value = (
            projection(normed).unflatten(-1, (-1, attention.head_dim))
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):  # Qwen3 norms every head
            query, key = attention.q_norm(query), attention.k_norm(key)
        return query, key, value

    def attention_scale(self, layer: int) -> float:
        return self.layers[layer].self_attn.scaling

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        return hidden + self.layers[layer].self_attn.o_proj(attended)

    def mlp_input(self, layer: int, hidden: Tensor) -> Tensor:
        """What the gate and up projections read, (..., width)."""
        return self.layers[layer].post_attention_layernorm(hidden)

    def preactivation(self, layer: int, hidden: Tensor) -> Tensor:
        return self.layers[layer].mlp.gate_proj(self.mlp_input(layer, hidden))

    def activate(self, layer: int, preactivation: Tensor, hidden: Tensor) -> Tensor:
        mlp = self.layers[layer].mlp
        return mlp.act_fn(preactivation) * mlp.up_proj(self.mlp_input(layer, hidden))

    def neurons(self, layer: int, hidden: Tensor) -> Tensor:
        mlp, normed = self.layers[layer].mlp, self.mlp_input(layer, hidden)  # normed once for both
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
    """LLaMA's shape with its norms elsewhere: after attention and after the MLP, on queries and on keys."""

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
    """LLaMA's shape; the gain of a norm is one more than its weight."""

    def mlp_norm_gain(self, layer: int) -> Tensor:
        return 1 + super().mlp_norm_gain(layer)


class GraniteAdapter(LlamaAdapter):
    """LLaMA's shape with a factor on embeddings, on what a layer adds to the stream, and on logits."""

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return super().embed(tokens, positions) * self.model.config.embedding_multiplier

    def add_attention(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        block = self.layers[layer]
        return hidden + block.self_attn.o_proj(attended) * block.residual_multiplier

    def add_mlp(self, layer: int, hidden: Tensor, output: Tensor) -> Tensor:
        return hidden + output * self.layers[layer].residual_multiplier

    def final_norm(self, hidden: Tensor) -> Tensor:
        return super().final_norm(hidden) / self.model.config.logits_scaling  # here, so that logits stay one matrix


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
