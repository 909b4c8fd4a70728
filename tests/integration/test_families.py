"""Every supported family as a tiny random model: the adapter is the model, and branches agree with full forwards."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import FAMILIES, Adapter, GraniteAdapter
from dkn.decoder.branches import attend, visible_prefix
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError
from dkn.models.families import OBSTACLES, SUPPORTED
from tests.unit import plain

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
GPT2 = {
    "vocab_size": 97,
    "n_positions": 64,
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
# Name -> family and the settings in which its members differ from one another.
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2),
    "gpt2-scaled-by-layer": ("gpt2", {**GPT2, "scale_attn_by_inverse_layer_idx": True}),
    "llama": ("llama", GATED),
    "llama-3": (
        "llama",
        {
            **GATED,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
    ),
    "smollm": (
        "llama",
        {**GATED, "hidden_size": 36, "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
    ),
    "mistral": ("mistral", {**GATED, "head_dim": 8}),
    "mistral-windowed": ("mistral", {**GATED, "head_dim": 8, "sliding_window": 24}),
    "qwen2": ("qwen2", GATED),
    "qwen3": ("qwen3", {**GATED, "head_dim": 16}),
    "gemma": ("gemma", {**GATED, "head_dim": 16, "num_key_value_heads": 1, "tie_word_embeddings": True}),
    "olmo2": ("olmo2", GATED),
    "granite": (
        "granite",
        {
            **GATED,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
        },
    ),
}
TOLERANCE = 1e-5
PROMPTS = [[5, 17, 40, 8, 23, 31, 12, 60, 3, 44, 71], [9, 80, 2]]


def random_model(name: str) -> Any:
    """A float32 model with random weights; biases and gains are random too, so that none can be forgotten."""
    torch.manual_seed(0)
    family, settings = CONFIGS[name]
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**settings), attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return model


def test_every_supported_family_is_tested_here() -> None:
    assert {family for family, _ in CONFIGS.values()} == set(FAMILIES) == set(SUPPORTED)


def test_the_page_on_models_shows_the_code_and_names_every_family() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    assert inspect.getsource(GraniteAdapter) in page
    assert all(f"`{family}`" in page for family in (*SUPPORTED, *OBSTACLES))


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
def test_logits_at_every_position_are_the_models_own(name: str) -> None:
    """Two prompts of different lengths, read together, each compared with Hugging Face's forward pass."""
    adapter = adapt(model := random_model(name))
    length = min(map(len, PROMPTS))
    prefix = read_prompts(adapter, PROMPTS, [range(len(prompt) - length, len(prompt)) for prompt in PROMPTS])
    for row, prompt in enumerate(PROMPTS):
        found = adapter.unembed(adapter.final_norm(prefix.final[row]))
        assert plain.relative_difference(found, plain.logits(model, prompt)[-length:]) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
def test_branches_are_full_forwards(name: str) -> None:
    """Two tokens that follow a prefix of either prompt give what the model makes of prefix and tokens together."""
    adapter = adapt(model := random_model(name))
    prefix = read_prompts(adapter, PROMPTS, [[0]] * len(PROMPTS))
    starts, tokens = torch.tensor([[11, 6, 1], [3, 2, 1]]), torch.tensor([[21, 33], [7, 50], [90, 90]])
    places = starts[..., None] + torch.arange(2)
    embedded = [[adapter.embed(pair, place) for pair, place in zip(tokens, row, strict=True)] for row in places]
    hidden = torch.stack([torch.stack(row) for row in embedded])
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, visible_prefix(prefix, starts), adapter.rotation(places))
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    found = adapter.unembed(adapter.final_norm(hidden))
    for row, prompt in enumerate(PROMPTS):
        for branch, start in enumerate(starts[row].tolist()):
            whole = plain.logits(model, [*prompt[:start], *tokens[branch].tolist()])
            assert plain.relative_difference(found[row, branch], whole[-2:]) < TOLERANCE


def norm_in_front_of_the_mlp(adapter: Adapter, layer: int) -> torch.nn.Module | None:
    """The module itself, by the names of the Hugging Face models."""
    block = adapter.layers[layer]
    if adapter.model.config.model_type == "olmo2":
        return None
    return block.ln_2 if adapter.model.config.model_type == "gpt2" else block.post_attention_layernorm


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
def test_vectors_and_gains_say_what_the_modules_do(name: str) -> None:
    """One neuron's value moves the MLP's output along its writing vector, its input is read by its reading vector."""
    adapter = adapt(random_model(name))
    layer, neuron, stream = 1, 7, torch.randn(adapter.width)
    values = adapter.neurons(layer, stream)
    moved = values.clone()
    moved[neuron] += 1
    written = adapter.mlp_output(layer, moved) - adapter.mlp_output(layer, values)
    assert plain.relative_difference(written, adapter.writing(layer)[neuron]) < 1e-4
    norm = norm_in_front_of_the_mlp(adapter, layer)
    bias = adapter.reading_bias(layer)
    products = adapter.reading(layer) @ (stream if norm is None else norm(stream)) + (0 if bias is None else bias)
    assert plain.relative_difference(products, adapter.preactivation(layer, stream)) < 1e-4
    gain = adapter.mlp_norm_gain(layer)
    if norm is None:
        assert torch.equal(gain, torch.ones(adapter.width))
    else:  # a norm is a direction times its gain, and perhaps a bias, whatever else the family does
        shift = norm(torch.zeros(adapter.width))
        centres = torch.allclose(norm(stream + 1), norm(stream), atol=1e-4)  # LayerNorm does, RMSNorm does not
        centred = stream - stream.mean() if centres else stream
        direction = centred / centred.square().mean().sqrt()
        assert plain.relative_difference(norm(stream) - shift, direction * gain) < 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_attribution_equals_the_plain_implementation(name: str) -> None:
    """Scores by hooks on the Hugging Face model, one full pass per node."""
    model = random_model(name)
    adapter = adapt(model)
    fact = EncodedFact("fact", [5, 17, 40, 8, 23], [31, 12])
    found = attribute(adapter, [fact], 1, AttributionSettings("amig", "gauss-legendre", 3))[0]
    nodes = [0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5]
    expected = plain.attribution(model, fact.prompt, fact.answer, 0, "amig", 1, nodes, [5 / 18, 8 / 18, 5 / 18])
    difference = (found.scores - expected.scores).abs().max() / expected.scores.abs().max()
    assert float(difference) < 1e-5


def test_a_windowed_model_takes_no_prompt_beyond_its_window() -> None:
    adapter = adapt(random_model("mistral-windowed"))
    with pytest.raises(UserError, match="25 tokens exceeds the model's context of 24"):
        read_prompts(adapter, [[5] * 25], [[0]])


def test_a_family_without_an_adapter_is_one_clear_error() -> None:
    config = CONFIG_MAPPING["gpt_neox"](
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    with pytest.raises(
        UserError,
        match=r"'gpt_neox' has no adapter \(its attention and its MLP .*; supported families: gpt2, llama, .*gemma",
    ):
        adapt(AutoModelForCausalLM.from_config(config))


def test_an_adapter_that_does_not_fit_is_found_when_the_model_is_loaded() -> None:
    """A LLaMA whose block does something the adapter does not know about."""
    model = random_model("llama")
    original = model.model.layers[1].mlp.forward
    model.model.layers[1].mlp.forward = lambda hidden: 1.5 * original(hidden)
    with pytest.raises(UserError, match="does not reproduce this model's logits"):
        adapt(model)
