"""The model families that have an adapter, and the check of a model's config.json against them.

This module imports the standard library only, because the check runs before the first job.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dkn.errors import UserError

SUPPORTED = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "olmo2", "granite")
UNGATED = ("gpt2",)  # of these, the families whose MLP has no gate
# The reasons why families that are often asked for have no adapter; messages print them in brackets (docs/models.md).
_CAPPED = "it caps attention scores and logits by a tanh, which branches and their gradients do not know"
_PARALLEL = "its attention and its MLP read the same stream, so that a layer cannot be cut between them"
_FUSED = "its gate and up projections are one matrix, so that reading vectors have no module of their own"
_TURNED = "its layers encode positions differently: by one rotation, by another, or by none"
_EXPERTS = "its neurons belong to experts, and a token runs through few of them"
OBSTACLES = {
    "gemma2": _CAPPED,
    "gemma3": _TURNED,
    "gemma3_text": _TURNED,
    "smollm3": _TURNED,
    "gpt_neox": _PARALLEL,
    "gptj": _PARALLEL,
    "phi": _PARALLEL,
    "falcon": _PARALLEL,
    "phi3": _FUSED,
    "mixtral": _EXPERTS,
    "qwen2_moe": _EXPERTS,
    "qwen3_moe": _EXPERTS,
}


def require_family(family: str | None, model: str = "") -> None:
    """Raise unless a family has an adapter.

    Args:
        family: the ``model_type`` of the model's config.json.
        model: the name that the error gives the model, ending in a colon and a space; empty for none.
    Raises:
        UserError: the family has no adapter. The line says why, where that is known, and lists the families with one.
    """
    if not isinstance(family, str) or family not in SUPPORTED:
        reason = f" ({OBSTACLES[family]})" if isinstance(family, str) and family in OBSTACLES else ""
        raise UserError(
            f"{model}model family {family!r} has no adapter{reason}; supported families: {', '.join(SUPPORTED)}"
        )


def has_gate(folder: Path) -> bool:
    """Tell whether the MLP of a prepared model has a gate, from its config.json.

    Args:
        folder: the prepared folder.
    Raises:
        UserError: there is no such file, or it is not a model's.
    """
    try:
        family = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{folder / 'config.json'}: says no family of models ({type(error).__name__})") from None
    return family not in UNGATED


def require_config(path: Path, model: str) -> dict[str, Any]:
    """Read a model's config.json, and raise unless its family has an adapter and its weights are not quantised.

    Args:
        path: the file.
        model: the name that the error gives the model.
    Raises:
        UserError: the family has no adapter, the weights are quantised, or the file is not a JSON object.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        family, quantised = config.get("model_type"), config.get("quantization_config")
    except (ValueError, AttributeError, RecursionError):
        raise UserError(f"{model}: config.json is not a model's") from None
    require_family(family, f"{model}: ")
    if quantised is not None:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        raise UserError(
            f"{model}: its weights are quantised ({method or 'quantization_config in config.json'}); allowed: weights "
            f"in float32, bfloat16 or float16, or a wheel with a GGUF file"
        )
    return config
