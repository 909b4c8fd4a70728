"""Tiny models and tokenizers as GGUF files, written as llama.cpp's converter writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.unit.model_folders import bpe

CONTEXT = 64
ROWS = bpe().get_vocab_size()
SIZES: dict[str, Any] = {
    **{"vocab_size": ROWS, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT},
    **{"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3},
}
LLAMA3 = {
    **{"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "original_max_position_embeddings": 16,
}
GEMMA3 = {"num_hidden_layers": 7, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 4}
# By the architecture of GGUF: a model far from transformers' defaults, wherever a file says how it is.
MODELS: dict[str, Callable[..., PreTrainedModel]] = {
    "llama": lambda **more: LlamaForCausalLM(LlamaConfig(**{**SIZES, "head_dim": 8, **more})),
    "qwen2": lambda **more: Qwen2ForCausalLM(Qwen2Config(**{**SIZES, **more})),
    "qwen3": lambda **more: Qwen3ForCausalLM(Qwen3Config(**{**SIZES, "head_dim": 16, **more})),
    "gemma3": lambda **more: Gemma3ForCausalLM(
        Gemma3TextConfig(**{**SIZES, **GEMMA3, "vocab_size": len(sentence_pieces()["ggml.tokens"]), **more})
    ),
    "gpt2": lambda **more: GPT2LMHeadModel(
        GPT2Config(
            **{"vocab_size": ROWS, "n_positions": CONTEXT, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 64},
            **{"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3, **more},
        )
    ),
}


def random_model(architecture: str, **settings: Any) -> PreTrainedModel:
    """A model of random weights, biases and gains, so that none can be forgotten."""
    torch.manual_seed(1)
    model = MODELS[architecture](**settings).eval()
    for weight in model.parameters():
        if weight.ndim == 1:
            weight.data += 0.2 * torch.randn(weight.shape)
    return model


def _settings(architecture: str, config: Any) -> dict[str, Any]:
    """The numbers of a header that say what a model is like, without the architecture in their keys."""
    gpt2 = architecture == "gpt2"
    found = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.n_inner if gpt2 else config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
    }
    if gpt2:
        return {**found, "attention.layer_norm_epsilon": config.layer_norm_epsilon}
    theta = config.rope_parameters.get("rope_theta") or config.rope_parameters["full_attention"]["rope_theta"]
    found |= {"attention.head_count_kv": config.num_key_value_heads, "rope.freq_base": float(theta)}
    found["attention.layer_norm_rms_epsilon"] = config.rms_norm_eps
    if architecture == "llama":
        found["rope.dimension_count"] = config.head_dim
    if architecture in ("qwen3", "gemma3"):
        found |= {"attention.key_length": config.head_dim, "attention.value_length": config.head_dim}
    return {**found, "attention.sliding_window": config.sliding_window} if architecture == "gemma3" else found


def byte_level(tokenizer: ByteLevelBPETokenizer) -> dict[str, Any]:
    """The keys of a header for a byte-level tokenizer, without ``tokenizer.`` before them."""
    tree = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(tree["vocab"], key=tree["vocab"].get)
    merges = [" ".join(merge) for merge in tree["merges"]]
    about: dict[str, Any] = {"ggml.model": "gpt2", "ggml.pre": "gpt-2", "ggml.tokens": tokens, "ggml.merges": merges}
    return {**about, "ggml.bos_token_id": 0, "ggml.eos_token_id": 0}


PIECES = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
WORDS = ["▁the", "▁capital", "▁of", "▁is", "▁France", "▁Paris", "Paris", "the"]


def sentence_pieces(**changes: Any) -> dict[str, Any]:
    """The keys of a header for a tokenizer of SentencePiece's kind, without ``tokenizer.`` before them.

    Args:
        changes: keys without ``ggml.`` before them; None takes one out.
    """
    parts = [word[:end] for word in WORDS for end in range(1, len(word) + 1)]
    parts += [letter for word in WORDS for letter in word]
    words = sorted(dict.fromkeys(parts), key=len, reverse=True)
    tokens = [*PIECES, *words]
    kinds = [3] * 5 + [6] * 256 + [1] * len(words)
    about = {
        **{"model": "llama", "pre": "default", "tokens": tokens, "scores": [-float(i) for i in range(len(tokens))]},
        **{"token_type": kinds, "padding_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "unknown_token_id": 3},
        **{"add_space_prefix": False, "add_bos_token": True, **changes},
    }
    return {f"ggml.{key}": value for key, value in about.items() if value is not None}


def tokenizer_of(architecture: str) -> dict[str, Any]:
    """The keys of the tokenizer that an architecture's models have."""
    return sentence_pieces() if architecture == "gemma3" else byte_level(bpe())


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    """Write a key with the type of its value."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _as_converted(architecture: str, name: str, weight: np.ndarray, config: Any) -> np.ndarray:
    """A tensor as llama.cpp's converter changes it."""
    part = name.split(".")[-2]
    if architecture == "llama" and part in ("q_proj", "k_proj"):  # it interleaves what rotary positions pair
        heads = config.num_attention_heads if part == "q_proj" else config.num_key_value_heads
        return weight.reshape(heads, 2, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    if architecture == "gpt2" and part in ("c_attn", "c_proj", "c_fc") and weight.ndim > 1:
        return weight.T
    return weight + 1 if architecture == "gemma3" and part.endswith("norm") else weight


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    architecture: str = "llama",
    kind: str = "F32",
    about: Mapping[str, Any] | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
    **settings: Any,
) -> dict[str, torch.Tensor]:
    """Write a model; returns the weights that reading it must give.

    Args:
        kind: the type of its matrices.
        about: further numbers of the header, or others; None takes one out.
        tokenizer: the keys of the tokenizer; ``tokenizer_of`` the architecture where not given.
        extra: further tensors in float32.
        settings: of the writer, such as ``split_max_tensors``.
    """
    writer = gguf.GGUFWriter(path, architecture, **settings)
    found = {**_settings(architecture, model.config), **(about or {})}
    for key, value in found.items():
        if value is not None:
            _add(writer, f"{architecture}.{key}", value)
    for key, value in (tokenizer or tokenizer_of(architecture)).items():
        _add(writer, f"tokenizer.{key}", value)
    number = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(number, model.config.num_hidden_layers)
    expected = {}
    for name, tensor in model.named_parameters():
        quantisation = gguf.GGMLQuantizationType[kind if tensor.ndim > 1 else "F32"]
        weight = np.ascontiguousarray(_as_converted(architecture, name, tensor.detach().numpy(), model.config))
        packed = gguf.quants.quantize(weight, quantisation)
        if quantisation != gguf.GGMLQuantizationType.F32:
            tensor.data = _back(architecture, name, gguf.quants.dequantize(packed, quantisation), model.config)
        expected[name] = tensor.detach()
        place = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(place, packed, raw_dtype=quantisation)
    for name, weight in (extra or {}).items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def _back(architecture: str, name: str, weight: np.ndarray, config: Any) -> torch.Tensor:
    """What ``_as_converted`` made of a matrix, as it was."""
    part = name.split(".")[-2]
    if architecture == "llama" and part in ("q_proj", "k_proj"):
        heads = config.num_attention_heads if part == "q_proj" else config.num_key_value_heads
        return torch.tensor(weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape))
    if architecture == "gpt2" and part in ("c_attn", "c_proj", "c_fc"):
        return torch.tensor(np.ascontiguousarray(weight.T))
    return torch.tensor(weight)


def pieces(path: Path, count: int) -> list[Path]:
    """Cut a file into byte pieces beside it; returns them in order."""
    content = path.read_bytes()
    size = -(-len(content) // count)
    made = [path.with_name(f"{path.name}.part{number:02}") for number in range(count)]
    for number, piece in enumerate(made):
        piece.write_bytes(content[number * size : (number + 1) * size])
    return made
