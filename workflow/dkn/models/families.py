"""The model families that have an adapter, and the check of a model's config.json against them.

This module imports the standard library only, because the check runs before the first job.
"""

from __future__ import annotations

import json
from pathlib import Path

from dkn.errors import UserError

SUPPORTED = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "olmo2", "granite")
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
    if family not in SUPPORTED:
        reason = f" ({OBSTACLES[family]})" if family in OBSTACLES else ""
        raise UserError(
            f"{model}model family {family!r} has no adapter{reason}; supported families: {', '.join(SUPPORTED)}"
        )


def require_family_of(config: Path, model: str) -> None:
    """Raise unless the family that a model's config.json states has an adapter.

    Args:
        config: the file.
        model: the name that the error gives the model.
    Raises:
        UserError: the family has no adapter, or the file is not a JSON object.
    """
    try:
        family = json.loads(config.read_text()).get("model_type")
    except (ValueError, AttributeError):
        raise UserError(f"{model}: config.json is not a model's") from None
    require_family(family, f"{model}: ")
