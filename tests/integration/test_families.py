"""Every supported family as a tiny random model: the adapter is the model, and branches agree with full forwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from dkn.attribution import AttributionSettings, attribute
from dkn.encoding import EncodedFact
from dkn.errors import UserError
from dkn.language_models import FAMILIES, adapt

from ..unit.plain import attribution as plain_attribution

GATED: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {
        "vocab_size": 97,
        "n_positions": 64,
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 1,
    },
    "llama": GATED,
    "mistral": {**GATED, "head_dim": 8},
    "qwen2": GATED,
    "qwen3": {**GATED, "head_dim": 16},
    "gemma": {**GATED, "head_dim": 8},
    "olmo2": GATED,
}


def random_model(family: str) -> Any:
    """A float32 model of a family with random weights."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**CONFIGS[family]), attn_implementation="eager")


def test_every_supported_family_is_tested_here() -> None:
    assert set(CONFIGS) == set(FAMILIES)


@pytest.mark.parametrize("family", CONFIGS)
def test_attribution_equals_the_plain_implementation(family: str) -> None:
    """`adapt` itself compares logits with the model's own; scores are compared here."""
    model = random_model(family)
    adapter = adapt(model)
    fact = EncodedFact("fact", [5, 17, 40, 8, 23], [31, 12])
    found = attribute(adapter, [fact], 1, AttributionSettings("amig", "gauss-legendre", 3))[0]
    nodes = [0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5]
    expected = plain_attribution(model, fact.prompt, fact.answer, 0, "amig", 1, nodes, [5 / 18, 8 / 18, 5 / 18])
    difference = (found.scores - expected.scores).abs().max() / expected.scores.abs().max()
    assert float(difference) < 1e-5


def test_a_family_without_an_adapter_is_one_clear_error() -> None:
    config = CONFIG_MAPPING["gpt_neox"](
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    with pytest.raises(UserError, match=r"'gpt_neox' has no adapter; supported families: gpt2, llama, .*gemma"):
        adapt(AutoModelForCausalLM.from_config(config))


def test_an_adapter_that_does_not_fit_is_found_when_the_model_is_loaded() -> None:
    """A LLaMA whose block does something the adapter does not know about."""
    model = random_model("llama")
    original = model.model.layers[1].mlp.forward
    model.model.layers[1].mlp.forward = lambda hidden: 1.5 * original(hidden)
    with pytest.raises(UserError, match="does not reproduce this model's logits"):
        adapt(model)
