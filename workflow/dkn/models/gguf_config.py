"""The config of a model in a GGUF file: as transformers reads it, and what it leaves out.

transformers 5.23 takes some keys of the format and drops others without a word, which would make another model of the
file. What of these can be said in a config is set here, and the rest is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, MistralConfig, PretrainedConfig

from dkn.errors import UserError
from dkn.models.gguf_files import Entries
from dkn.models.gguf_rotation import PARTLY, part_of, set_rotation

# What only the tensors of a file say, by family: the key of the config, and a tensor that is there where it is true.
_BY_TENSORS = {
    "llama": {"attention_bias": "attn_output.bias", "mlp_bias": "ffn_down.bias"},
    "nemotron": {"attention_bias": "attn_output.bias", "mlp_bias": "ffn_up.bias"},
    "stablelm": {"use_qkv_bias": "attn_q.bias", "qk_layernorm": "attn_q_norm.weight"},
    "starcoder2": {"use_bias": "attn_q.bias"},
}
_LAYER = re.compile(r"blk\.(\d+)\.")
_EPSILONS = ("layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps")  # the names of one number in configs
_CAPS = ("attn_logit_softcapping", "final_logit_softcapping")
_ALL_WINDOWED = ("mistral", "phi3", "starcoder2")  # a window in all layers or in none
_PATTERNS = {"gemma2": 2, "gemma3_text": 6}  # one layer in so many has no window
_27B_LAYERS = {"gemma2": 46, "gemma3_text": 62}  # llama.cpp tells by them the ones whose attention is scaled otherwise


def _require_numbers(path: Path, about: Mapping[str, Any]) -> None:
    """Raise unless a file states what transformers would take its own number for, and nothing by layers.

    Raises:
        UserError: the line names the key.
    """
    for name in ("context_length", "attention.layer_norm_epsilon"):
        if not any(key in about for key in (name, name.replace("norm_eps", "norm_rms_eps"))):
            raise UserError(f"{path}: does not state {name}, which every model has")
    for name, value in about.items():
        if isinstance(value, Entries):
            raise UserError(
                f"{path}: states {name} as a list of {value} entries, such as one for each layer, which is not read"
            )
    if about.get("attention.causal", True) is not True:
        raise UserError(f"{path}: its attention looks ahead (attention.causal), which no adapter does")


def _require_layers(path: Path, about: Mapping[str, Any], tensors: Collection[str]) -> None:
    """Raise unless a file holds tensors of as many layers as it states, before a config or a model of them is made.

    Raises:
        UserError: the line states both numbers.
    """
    layers = {int(found[1]) for name in tensors if (found := _LAYER.match(name))}
    stated = about.get("block_count")
    if stated != len(layers) or max(layers, default=-1) != len(layers) - 1:
        raise UserError(f"{path}: states block_count as {stated!r}, its tensors are of {len(layers)} layers")


def _set_sizes(config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set the context and the neurons, which transformers reads under names that some models do not use."""
    if config.model_type == "gpt2":
        del config.n_ctx
        config.n_positions = about["context_length"]
        config.n_inner = about["feed_forward_length"]
    elif config.model_type == "bloom":
        config.seq_length = about["context_length"]
    elif config.model_type == "falcon":
        config.ffn_hidden_size = about["feed_forward_length"]
    if "attention.layer_norm_epsilon" in about:
        for name in _EPSILONS:
            if hasattr(config, name):
                setattr(config, name, about["attention.layer_norm_epsilon"])


def _set_by_tensors(config: PretrainedConfig, tensors: Collection[str]) -> None:
    """Set what a file says by the tensors that it holds: biases, norms, and whether attention and MLP are parallel."""
    for key, tensor in _BY_TENSORS.get(config.model_type, {}).items():
        setattr(config, key, f"blk.0.{tensor}" in tensors)
    if config.model_type == "stablelm":
        config.use_parallel_residual = "blk.0.ffn_norm.weight" not in tensors
    config.tie_word_embeddings = "output.weight" not in tensors


def _set_falcon(config: PretrainedConfig, about: Mapping[str, Any], tensors: Collection[str]) -> None:
    """Set which of its layers a Falcon has: 7B's with one key and value, or 40B's with one or two norms in front.

    llama.cpp writes no other: none with ALiBi, with biases, or whose MLP follows attention.
    """
    if config.model_type != "falcon":
        return
    two_norms = "blk.0.attn_norm_2.weight" in tensors
    config.num_kv_heads = about.get("attention.head_count_kv", config.num_attention_heads)
    config.new_decoder_architecture = two_norms or config.num_kv_heads > 1
    config.multi_query = config.num_kv_heads == 1
    config.num_ln_in_parallel_attn = (2 if two_norms else 1) if config.new_decoder_architecture else None
    for name in ("intermediate_size", "num_key_value_heads"):  # transformers' names for what is set above
        if name in vars(config):
            delattr(config, name)


def _set_heads(path: Path, config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set the size of a head, and the part of it that is turned; transformers takes its own defaults for both.

    Raises:
        UserError: the family knows no such head.
    """
    usual, turned = config.hidden_size // config.num_attention_heads, about.get("rope.dimension_count")
    partly = config.model_type in PARTLY
    stated = {about[key] for key in ("attention.key_length", "attention.value_length") if key in about}
    sizes = stated or {usual if partly or turned is None else turned}
    if len(sizes) > 1 or (not partly and turned not in (None, *sizes)):
        raise UserError(f"{path}: keys, values and rotations of a head differ in size, which no adapter knows")
    (size,) = sizes
    if partly and turned is not None and (turned % 2 or not 0 < turned <= size):
        raise UserError(f"{path}: states rope.dimension_count as {turned}; allowed: even numbers up to {size}")
    if "head_dim" in vars(config):
        config.head_dim = size
    elif size != usual:
        raise UserError(f"{path}: heads have {size} coordinates, family {config.model_type!r} only knows {usual}")
    if partly:
        config.rope_parameters["partial_rotary_factor"] = part_of(turned or size, size)


def _set_gemma(path: Path, config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set a Gemma's scale of attention, its pattern of layers and its local rotation, as llama.cpp takes them.

    Raises:
        UserError: the pattern is no number of layers.
    """
    if config.model_type not in _PATTERNS:
        return
    layers = config.num_hidden_layers
    of_hidden = layers == _27B_LAYERS[config.model_type]
    config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if of_hidden else config.head_dim
    pattern = about.get("attention.sliding_window_pattern", _PATTERNS[config.model_type])
    if type(pattern) is not int or pattern < 1:
        raise UserError(f"{path}: states attention.sliding_window_pattern as {pattern!r}; allowed: numbers of layers")
    config.layer_types = ["sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in range(layers)]
    if config.model_type == "gemma3_text":
        config._sliding_window_pattern = pattern
        config.rope_parameters["sliding_attention"]["rope_theta"] = float(about.get("rope.freq_base_swa", 10_000.0))


def _set_caps(path: Path, config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set the caps on scores and logits, which transformers drops; without them, both take the same ones.

    Raises:
        UserError: a family has none that is stated.
    """
    for name in _CAPS:
        if name in about and not hasattr(config, name):
            raise UserError(f"{path}: states {name}, which family {config.model_type!r} does not have")
        if name in about:
            setattr(config, name, about[name])


def _with_window(path: Path, config: PretrainedConfig, about: Mapping[str, Any]) -> PretrainedConfig:
    """Return the config with the window that a file states, which transformers drops; a LLaMA with one is a Mistral.

    Raises:
        UserError: the family has no window.
    """
    window = about.get("attention.sliding_window") or None
    if config.model_type in _ALL_WINDOWED:
        config.sliding_window = window
    elif window and window < about["context_length"] and config.model_type not in _PATTERNS:
        if config.model_type != "llama":
            raise UserError(f"{path}: states a window of {window} tokens, which family {config.model_type!r} has not")
        kept = {key: value for key, value in vars(config).items() if hasattr(MistralConfig, key)}
        return MistralConfig(**{**kept, "rope_parameters": config.rope_parameters, "sliding_window": window})
    return config


def read_config(
    path: Path, metadata: Mapping[str, Any], tensors: Collection[str], factors: Mapping[str, list[float]]
) -> PretrainedConfig:
    """Return the config of the model in a GGUF file.

    Args:
        path: the file; the first where there are several.
        metadata: the numbers and texts of its header.
        tensors: the names of the weights in all files.
        factors: the content of those of ``gguf_rotation.FACTORS`` that it holds, a number for each pair of coordinates
            of a head that is turned.
    Raises:
        UserError: the file states something that cannot be kept. Other errors are transformers'.
    """
    prefix = f"{metadata.get('general.architecture')}."
    about = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}
    _require_numbers(path, about)
    _require_layers(path, about, tensors)
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    _set_sizes(config, about)
    _set_by_tensors(config, tensors)
    _set_falcon(config, about, tensors)
    _set_heads(path, config, about)
    _set_gemma(path, config, about)
    _set_caps(path, config, about)
    set_rotation(path, config, about, factors)
    config = _with_window(path, config, about)
    config.dtype = torch.float32
    config._name_or_path = path.stem
    return config
