"""Tiny models and tokenizers as GGUF files, written as llama.cpp's converter writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedModel

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
GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 4}
WHOLE_HEADS = {"rope_type": "default", "rope_theta": 500.0}
FAMILY_SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_positions": CONTEXT, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 64},
    "llama": {**SIZES, "head_dim": 8},
    "qwen2": SIZES,
    "qwen3": {**SIZES, "head_dim": 16},
    "gemma2": {**SIZES, **GEMMA, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0},
    "gemma3": {**SIZES, **GEMMA, "num_hidden_layers": 7},
    "falcon": {
        **SIZES,
        "num_key_value_heads": None,
        "intermediate_size": None,
        "num_kv_heads": 1,
        "layer_norm_epsilon": 1e-2,
    },
    "phi3": {**SIZES, "pad_token_id": None, "rope_parameters": {**WHOLE_HEADS, "partial_rotary_factor": 0.75}},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "seq_length": CONTEXT, "layer_norm_epsilon": 1e-2},
    "stablelm": {**SIZES, "layer_norm_eps": 1e-2, "rope_parameters": {"partial_rotary_factor": 0.5}},
    "starcoder2": {**SIZES, "norm_epsilon": 1e-2, "rope_parameters": WHOLE_HEADS, "tie_word_embeddings": False},
    "nemotron": {
        **SIZES,
        "head_dim": 8,
        "norm_eps": 1e-2,
        "rope_parameters": {**WHOLE_HEADS, "partial_rotary_factor": 0.75},
    },
}
MODELS = tuple(FAMILY_SIZES)  # the architectures of GGUF; each far from transformers' defaults, where a file says how
OF_PIECES = ("gemma2", "gemma3", "nemotron", "phi3")  # their tokenizers are of SentencePiece's kind
NORMS_OF_HEADS = re.compile(r"(.*_layernorm)\.norms\.(\d+)\.weight")  # StableLM's


def random_model(architecture: str, **settings: Any) -> PreTrainedModel:
    """A model of random weights, biases and gains, so that none can be forgotten.

    Args:
        settings: of the config, and ``model_type`` where it is not the one that most models of the architecture have.
    """
    torch.manual_seed(1)
    rows = len(sentence_pieces()["ggml.tokens"]) if architecture in OF_PIECES else ROWS
    usual = {"vocab_size": rows, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
    family = {"gemma3": "gemma3_text"}.get(architecture, architecture)
    config = CONFIG_MAPPING[settings.pop("model_type", family)](**{**FAMILY_SIZES[architecture], **usual, **settings})
    model = AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        if weight.ndim == 1:
            weight.data += 0.2 * torch.randn(weight.shape)
    return model


def _epsilon(config: Any) -> dict[str, float]:
    """What is added to variances, under the key of its kind of norm."""
    if hasattr(config, "rms_norm_eps"):
        return {"attention.layer_norm_rms_epsilon": config.rms_norm_eps}
    names = ("layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps")
    return {"attention.layer_norm_epsilon": next(getattr(config, name) for name in names if hasattr(config, name))}


def key_value_heads(config: Any) -> int:
    """How many heads of keys and values there are; of Falcon 7B, one, whatever its config says."""
    if config.model_type == "falcon":
        return config.num_kv_heads if config.new_decoder_architecture else 1
    return getattr(config, "num_key_value_heads", config.num_attention_heads)


def _rotary(architecture: str, config: Any) -> dict[str, Any]:
    """The numbers of a header about rotary positions."""
    if architecture in ("gpt2", "bloom", "falcon"):
        return {}
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    found = {} if architecture in ("stablelm", "gemma2") else {"rope.freq_base": float(rope["rope_theta"])}
    if architecture in ("stablelm", "phi3", "nemotron"):
        part = rope["partial_rotary_factor"] * config.hidden_size
        found["rope.dimension_count"] = int(part) // config.num_attention_heads
    if architecture == "llama":
        found["rope.dimension_count"] = config.head_dim
    if architecture == "phi3":
        found["rope.scaling.original_context_length"] = config.original_max_position_embeddings
    return found


def _settings(architecture: str, config: Any) -> dict[str, Any]:
    """The numbers of a header that say what a model is like, without the architecture in their keys."""
    fourfold = 4 * config.hidden_size
    inner = {"gpt2": getattr(config, "n_inner", None), "bloom": fourfold, "falcon": fourfold}.get(architecture)
    found = {
        "context_length": config.seq_length if architecture == "bloom" else config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": inner or config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": key_value_heads(config),
        **_rotary(architecture, config),
        **_epsilon(config),
    }
    if architecture in ("qwen3", "gemma2", "gemma3", "nemotron"):
        found |= {"attention.key_length": config.head_dim, "attention.value_length": config.head_dim}
    if architecture == "gemma2":
        found |= {name: getattr(config, name) for name in ("attn_logit_softcapping", "final_logit_softcapping")}
    if architecture in ("gemma2", "gemma3", "phi3"):
        found["attention.sliding_window"] = config.sliding_window or 0
    if architecture == "stablelm":
        found["use_parallel_residual"] = config.use_parallel_residual
    return {**found, "rope.scaling.type": "none"} if architecture == "nemotron" else found


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
    if architecture not in OF_PIECES:
        return byte_level(bpe())
    about = sentence_pieces()
    own = {} if architecture.startswith("gemma") else {"<bos>": "<s>", "<eos>": "</s>"}
    return {**about, "ggml.tokens": [own.get(token, token) for token in about["ggml.tokens"]]}


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
    if part == "query_key_value":  # it puts all queries before all keys before all values
        size = config.hidden_size // config.num_attention_heads
        groups = weight.reshape(key_value_heads(config), -1, size, *weight.shape[1:])
        parts = [groups[:, :-2], groups[:, -2:-1], groups[:, -1:]]
        return np.concatenate([one.reshape(-1, *weight.shape[1:]) for one in parts])
    shifted = architecture in ("gemma2", "gemma3", "nemotron") and name.endswith("norm.weight")
    return weight + 1 if shifted else weight


def _tensors(model: PreTrainedModel) -> Iterator[tuple[str, np.ndarray]]:
    """Names and weights of a model; norms of one head each are stacked."""
    stacks: dict[str, list[np.ndarray]] = {}
    for name, tensor in model.named_parameters():
        if norm := NORMS_OF_HEADS.fullmatch(name):
            stacks.setdefault(f"{norm[1]}.weight", []).append(tensor.detach().numpy())
        else:
            yield name, tensor.detach().numpy()
    yield from ((name, np.stack(stack)) for name, stack in stacks.items())


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    architecture: str = "llama",
    kind: str = "F32",
    about: Mapping[str, Any] | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
    title: str = "",
    **settings: Any,
) -> dict[str, torch.Tensor]:
    """Write a model, whose weights become what they are when read back; returns them.

    Args:
        kind: the type of its matrices.
        about: further numbers of the header, or others; None takes one out.
        tokenizer: the keys of the tokenizer; ``tokenizer_of`` the architecture where not given.
        extra: further tensors in float32.
        title: what the file calls the model; empty for nothing.
        settings: of the writer, such as ``split_max_tensors``.
    """
    writer = gguf.GGUFWriter(path, architecture, **settings)
    if title:
        writer.add_name(title)
    found = {**_settings(architecture, model.config), **(about or {})}
    for key, value in found.items():
        if value is not None:
            _add(writer, f"{architecture}.{key}", value)
    for key, value in (tokenizer or tokenizer_of(architecture)).items():
        _add(writer, f"tokenizer.{key}", value)
    number = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(number, model.config.num_hidden_layers)
    for name, tensor in _tensors(model):
        plain = tensor.ndim == 1 or "norm" in name
        quantisation = gguf.GGMLQuantizationType["F32" if plain else kind]
        weight = np.ascontiguousarray(_as_converted(architecture, name, tensor, model.config))
        packed = gguf.quants.quantize(weight, quantisation)
        if quantisation != gguf.GGMLQuantizationType.F32:  # each number goes back to where it was
            order = _as_converted(architecture, name, np.arange(tensor.size).reshape(tensor.shape), model.config)
            tensor.reshape(-1)[order.reshape(-1)] = gguf.quants.dequantize(packed, quantisation).reshape(-1)
        known = name.removeprefix("transformer.") if architecture == "bloom" else name
        writer.add_tensor(names.get_name(known, try_suffixes=(".weight", ".bias")), packed, raw_dtype=quantisation)
    for name, weight in (extra or {}).items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {name: tensor.detach() for name, tensor in model.named_parameters()}


def pieces(path: Path, count: int) -> list[Path]:
    """Cut a file into byte pieces beside it; returns them in order."""
    content = path.read_bytes()
    size = -(-len(content) // count)
    made = [path.with_name(f"{path.name}.part{number:02}") for number in range(count)]
    for number, piece in enumerate(made):
        piece.write_bytes(content[number * size : (number + 1) * size])
    return made
