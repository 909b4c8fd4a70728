"""Which model families have an adapter, read off a model's config.json. Standard library only: checked before jobs."""

from __future__ import annotations

import json
from pathlib import Path

from dkn.errors import UserError

SUPPORTED = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "olmo2", "granite")
# What stands in the way of families that are often asked for (docs/models.md).
_CAPPED = "it caps attention scores and logits by a tanh, which branches and their gradients do not know"
_PARALLEL = "its attention and MLP read the same stream, so that a layer cannot be cut between them"
_FUSED = "gate and up projection are one matrix, so that reading vectors have no module of their own"
_TURNED = "its layers turn positions differently, by one rotation or another or none"
_EXPERTS = "its neurons lie in experts, of which a token meets a few"
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


def require_family(family: str | None, where: str = "") -> None:
    """Raise unless a family (``model_type`` of config.json) has an adapter.

    Raises:
        UserError: it has none; the line says why where that is known, and lists those that have one.
    """
    if family not in SUPPORTED:
        why = f" ({OBSTACLES[family]})" if family in OBSTACLES else ""
        raise UserError(
            f"{where}model family {family!r} has no adapter{why}; supported families: {', '.join(SUPPORTED)}"
        )


def require_family_of(config: Path, where: str) -> None:
    """The same for a model's config.json, which messages call ``where``.

    Raises:
        UserError: also where the file is not what it should be.
    """
    try:
        family = json.loads(config.read_text()).get("model_type")
    except (ValueError, AttributeError):
        raise UserError(f"{where}: config.json is not a model's") from None
    require_family(family, f"{where}: ")
