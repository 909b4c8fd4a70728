"""Checks of a model's config.json against the table of families (``dkn.families``); they run before the first job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dkn.errors import UserError
from dkn.families import FAMILIES, OBSTACLES, SUPPORTED, family_of


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
        family = family_of(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{folder / 'config.json'}: says no family of models ({type(error).__name__})") from None
    require_family(family, f"{folder}: ")
    return FAMILIES[family].gated


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
    require_family(family_of(family), f"{model}: ")
    if quantised is not None:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        raise UserError(
            f"{model}: its weights are quantised ({method or 'quantization_config in config.json'}); allowed: weights "
            f"in float32, bfloat16 or float16, or a GGUF file"
        )
    return config
