"""The rotary positions of a model in a GGUF file, most of which transformers 5.23 drops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from dkn.errors import UserError

PARTLY = ("nemotron", "phi3", "stablelm")  # the families that may turn a part of each head
# Tensors of what wavelengths are multiplied by: Llama 3.1's and later for all texts, Phi-3's for long and short ones.
ANY_FACTORS, LONG_FACTORS, SHORT_FACTORS = "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"
FACTORS = (ANY_FACTORS, LONG_FACTORS, SHORT_FACTORS)
# What YaRN has beside its factor, where it changes nothing.
_NEUTRAL = {"attn_factor": 1.0, "yarn_attn_factor": 1.0, "yarn_ext_factor": 1.0, "yarn_log_multiplier": 0.0}


def part_of(turned: int, size: int) -> float:
    """Return the factor by which transformers multiplies a head's size, rounding down, to get what is turned of it."""
    factor = turned / size
    return factor if int(size * factor) == turned else math.nextafter(factor, 2.0)


def _by_factors(path: Path, about: Mapping[str, Any], factors: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the scaling that tensors of factors make, in transformers' words; empty without any.

    Raises:
        UserError: of long and short texts' factors, one is missing.
    """
    if (LONG_FACTORS in factors) != (SHORT_FACTORS in factors):
        raise UserError(f"{path}: holds one of {LONG_FACTORS} and {SHORT_FACTORS} without the other")
    if LONG_FACTORS in factors:
        return {
            **{"rope_type": "longrope", "short_factor": factors[SHORT_FACTORS], "long_factor": factors[LONG_FACTORS]},
            "attention_factor": float(about.get("rope.scaling.attn_factor", 1.0)),
            "original_max_position_embeddings": _original(about),
        }
    if ANY_FACTORS not in factors:
        return {}
    # "longrope" is the type that takes a factor for every frequency; both lists are the same for any length.
    both = {"short_factor": factors[ANY_FACTORS], "long_factor": factors[ANY_FACTORS], "attention_factor": 1.0}
    return {"rope_type": "longrope", **both, "original_max_position_embeddings": about["context_length"]}


def _original(about: Mapping[str, Any]) -> int:
    """Return the longest text in tokens of the training before positions were scaled."""
    return int(about.get("rope.scaling.original_context_length", about["context_length"]))


def _by_kind(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return how rotary positions are scaled, in transformers' words; empty for not at all.

    Raises:
        UserError: in a way that has no words here.
    """
    kind = about.get("rope.scaling.type", "linear")  # what llama.cpp takes where a file states none
    factor = about.get("rope.scaling.factor", about.get("rope.scale_linear", 1.0))
    for name, neutral in _NEUTRAL.items():
        if about.get(f"rope.scaling.{name}", neutral) != neutral:
            raise UserError(f"{path}: states rope.scaling.{name}, which is not read")
    if kind == "none" or (kind == "linear" and factor in (0.0, 1.0)):
        return {}
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    if kind == "yarn":
        bounds = {
            name: about[key] for name in ("beta_fast", "beta_slow") if (key := f"rope.scaling.yarn_{name}") in about
        }
        return {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": _original(about), **bounds}
    raise UserError(f"{path}: positions are scaled by {kind!r}, which is not read; allowed: none, linear, yarn")


def set_rotation(
    path: Path, config: PretrainedConfig, about: Mapping[str, Any], factors: Mapping[str, list[float]]
) -> None:
    """Set the base and the scaling of rotary positions.

    Args:
        path: the file; the first where there are several.
        config: the model's; changed in place.
        about: the numbers and texts of its header that belong to the architecture, without its name before them.
        factors: the content of those of ``FACTORS`` that the file holds.
    Raises:
        UserError: the family does not know the scaling, or it has no words here.
    """
    parameters = getattr(config, "rope_parameters", None) or {}
    scaling = _by_factors(path, about, factors) or _by_kind(path, about)
    if scaling and not parameters:
        raise UserError(f"{path}: positions are scaled, which a model of family {config.model_type!r} does not know")
    if config.model_type == "phi3":
        if scaling and scaling["rope_type"] != "longrope":
            raise UserError(
                f"{path}: positions are scaled by {scaling['rope_type']!r}, which family 'phi3' does not know"
            )
        config.original_max_position_embeddings = _original(about)  # it would win over the one in the scaling
    if "full_attention" in parameters:
        parameters["full_attention"].update(scaling)  # Gemma 3 scales its global layers alone
    elif parameters:
        parameters.update({"rope_theta": float(about.get("rope.freq_base", 10_000.0)), **scaling})
