"""The config of a model in a GGUF file: as transformers reads it, and what it leaves out.

transformers 5.23 takes some keys of the format and drops others without a word, which would make another model of the
file. What of these can be said in a config is set here, and the rest is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PretrainedConfig

from dkn.errors import UserError

ROPE_FACTORS = "rope_freqs.weight"  # of Llama 3.1 and later: what the wavelengths of rotary positions are multiplied by
_GEMMA3_27B_LAYERS = 62  # llama.cpp tells by them the one Gemma 3 whose attention is scaled otherwise


def _set_positions(config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set GPT-2's context and neurons, which transformers reads under names that its model does not use."""
    if config.model_type == "gpt2":
        del config.n_ctx
        config.n_positions = about["context_length"]
        config.n_inner = about["feed_forward_length"]


def _set_head_size(path: Path, config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set the size of a head where it is stated; of Qwen 3, transformers takes 128 for it whatever the file says."""
    sizes = {about[key] for key in ("attention.key_length", "attention.value_length") if key in about}
    if len(sizes | ({about["rope.dimension_count"]} if sizes and "rope.dimension_count" in about else set())) > 1:
        raise UserError(f"{path}: keys, values and rotations of a head differ in size, which no adapter knows")
    if sizes and hasattr(config, "head_dim"):
        config.head_dim = sizes.pop()


def _set_gemma3(config: PretrainedConfig, about: Mapping[str, Any]) -> None:
    """Set Gemma 3's scale of attention, its pattern of layers and its local rotation, as llama.cpp takes them."""
    if config.model_type != "gemma3_text":
        return
    of_hidden = config.num_hidden_layers == _GEMMA3_27B_LAYERS
    config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if of_hidden else config.head_dim
    pattern = about.get("attention.sliding_window_pattern", 6)
    config._sliding_window_pattern = pattern
    config.layer_types = [
        "sliding_attention" if (layer + 1) % pattern else "full_attention" for layer in range(config.num_hidden_layers)
    ]
    config.rope_parameters["sliding_attention"]["rope_theta"] = float(about.get("rope.freq_base_swa", 10_000.0))


def _scaling(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return how rotary positions are scaled, in transformers' words; empty for not at all.

    Raises:
        UserError: in a way that has no words here.
    """
    kind = about.get("rope.scaling.type", "linear" if "rope.scale_linear" in about else "none")
    factor = about.get("rope.scaling.factor", about.get("rope.scale_linear", 1.0))
    if kind == "none" or (kind == "linear" and factor in (0.0, 1.0)):
        return {}
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    if kind == "yarn":
        original = about.get("rope.scaling.original_context_length", about["context_length"])
        return {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original}
    raise UserError(f"{path}: positions are scaled by {kind!r}, which is not read; allowed: none, linear, yarn")


def _set_rotation(path: Path, config: PretrainedConfig, about: Mapping[str, Any], factors: list[float] | None) -> None:
    """Set the scaling of rotary positions, which transformers drops."""
    scaling = _scaling(path, about)
    if factors is not None:
        # "longrope" is the type that takes a factor for every frequency; both lists are the same for any length.
        scaling = {"rope_type": "longrope", "short_factor": factors, "long_factor": factors, "attention_factor": 1.0}
        scaling["original_max_position_embeddings"] = about["context_length"]
    parameters = getattr(config, "rope_parameters", None) or {}
    if scaling and not parameters:
        raise UserError(f"{path}: positions are scaled, which a model of family {config.model_type!r} does not know")
    if scaling:
        (parameters.get("full_attention") or parameters).update(scaling)  # Gemma 3 scales its global layers alone


def read_config(
    path: Path, metadata: Mapping[str, Any], tensors: Collection[str], factors: list[float] | None
) -> PretrainedConfig:
    """Return the config of the model in a GGUF file.

    Args:
        path: the file; the first where there are several.
        metadata: the numbers and texts of its header.
        tensors: the names of the tensors in all files.
        factors: the content of ``ROPE_FACTORS``, a number for each pair of a head's coordinates; None without it.
    Raises:
        UserError: the file states something that cannot be kept. Other errors are transformers'.
    """
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    prefix = f"{metadata['general.architecture']}."
    about = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}
    _set_positions(config, about)
    _set_head_size(path, config, about)
    _set_gemma3(config, about)
    _set_rotation(path, config, about, factors)
    config.tie_word_embeddings = "output.weight" not in tensors
    config.dtype = torch.float32
    config._name_or_path = path.stem
    return config
