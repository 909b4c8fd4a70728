"""Models of every family as GGUF files: each comes back as what it was written from, and its adapter is it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM

from dkn.decoder.loading import adapt
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError
from dkn.models.gguf_config import read_config
from dkn.models.gguf_files import metadata
from dkn.models.gguf_weights import convert_gguf
from tests.unit.gguf_models import MODELS, WHOLE_HEADS, random_model, write_gguf
from tests.unit.one_line import line_of

# What a file does not say, or says in numbers of fewer digits.
UNSAID = {"initializer_range", "transformers_version", "architectures", "_name_or_path", "use_cache", "pretraining_tp"}
UNSAID |= {"unk_token_id", "pad_token_id", "bos_token_id", "eos_token_id", "rms_norm_eps", "model_max_length"}
UNSAID |= {"feed_forward_length", "layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps"}
UNSAID |= {"max_window_layers", "dtype"}


def config_of(path: Path, **about: Any) -> Any:
    """The config of a file, with other numbers in its header."""
    return read_config(path, {**metadata(path), **about}, {tensor.name for tensor in GGUFReader(path).tensors}, {})


@pytest.mark.parametrize("architecture", MODELS)
def test_a_config_is_that_of_the_model(architecture: str, tmp_path: Path) -> None:
    """Sizes far from transformers' defaults, as it would take them where it drops a key."""
    model = random_model(architecture, tie_word_embeddings=True)
    write_gguf(tmp_path / "tiny.gguf", model, architecture)
    found = json.loads(config_of(tmp_path / "tiny.gguf").to_json_string(use_diff=False))
    expected = json.loads(model.config.to_json_string(use_diff=False))
    assert {key: found.get(key) for key in expected.keys() - UNSAID} == {
        key: expected[key] for key in expected.keys() - UNSAID
    }
    assert found["dtype"] == "float32"


@pytest.fixture
def gemma3(tmp_path: Path) -> Path:
    """A tiny Gemma 3 as a GGUF file."""
    write_gguf(tmp_path / "tiny.gguf", random_model("gemma3"), "gemma3")
    return tmp_path / "tiny.gguf"


@pytest.mark.parametrize(("key", "name"), [("pattern", 3), ("theta", 500.0)])
def test_what_newer_files_say_of_gemma_3s_layers_is_taken(key: str, name: float, gemma3: Path) -> None:
    about = {"pattern": "gemma3.attention.sliding_window_pattern", "theta": "gemma3.rope.freq_base_swa"}
    config = config_of(gemma3, **{about[key]: name})
    globally = [layer for layer, kind in enumerate(config.layer_types) if kind == "full_attention"]
    assert globally == ([2, 5] if key == "pattern" else [5])
    thetas = {kind: rope["rope_theta"] for kind, rope in config.rope_parameters.items()}
    assert thetas == {"full_attention": 1_000_000.0, "sliding_attention": 500.0 if key == "theta" else 10_000.0}


@pytest.mark.parametrize(("layers", "scalar"), [(7, 16), (62, 8)], ids=["all others", "27B"])
def test_gemma_3s_scale_of_attention_is_llama_cpps(layers: int, scalar: int, tmp_path: Path) -> None:
    """Of all sizes but the largest it is the head's; transformers takes 256."""
    model = random_model("gemma3", num_hidden_layers=layers)
    write_gguf(tmp_path / "tiny.gguf", model, "gemma3")
    config = config_of(tmp_path / "tiny.gguf")
    assert (config.head_dim, config.query_pre_attn_scalar) == (16, scalar)
    assert config.dtype == torch.float32


# --- members of families ------------------------------------------------------------------------------------------

TOKENS = [*range(2, 42)]  # longer than every window
SHORT, LONG = [1.0, 1.5, 2.0], [2.0, 4.0, 9.0]  # factors of the 3 pairs of a head of which 6 of 8 coordinates turn
LONG_TEXTS = {
    **{"rope_type": "longrope", "rope_theta": 500.0, "partial_rotary_factor": 0.75},
    **{"short_factor": SHORT, "long_factor": LONG, "attention_factor": 1.2},
}
FACTORS = {
    f"rope_factors_{kind}.weight": np.array(factors, dtype=np.float32)
    for kind, factors in (("short", SHORT), ("long", LONG))
}
WINDOW = {"about": {"attention.sliding_window": 4}}
# Name -> the architecture of GGUF, settings of the config, and what the file has beside what its config says.
MEMBERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gpt2": ("gpt2", {}, {}),
    "llama": ("llama", {}, {}),
    "llama-biased": ("llama", {"attention_bias": True, "mlp_bias": True}, {}),
    "mistral": ("llama", {"model_type": "mistral", "sliding_window": None}, {}),
    "mistral-named": ("llama", {"model_type": "mistral", "sliding_window": None}, {"title": "mistral"}),
    "mistral-windowed": (
        "llama",
        {"model_type": "mistral", "sliding_window": 4, "rope_parameters": WHOLE_HEADS},
        WINDOW,
    ),
    "qwen2": ("qwen2", {}, {}),
    "qwen3": ("qwen3", {}, {}),
    "gemma2": ("gemma2", {}, {}),
    "gemma2-27b": ("gemma2", {"num_hidden_layers": 46, "query_pre_attn_scalar": 8, "initializer_range": 0.05}, {}),
    "gemma3": ("gemma3", {}, {}),
    "gemma3-capped": ("gemma3", {"final_logit_softcapping": 5.0}, {"about": {"final_logit_softcapping": 5.0}}),
    "falcon-7b": ("falcon", {}, {}),
    "falcon-40b": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}, {}),
    "falcon-11b": (
        "falcon",
        {
            **{"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
            "tie_word_embeddings": False,
        },
        {},
    ),
    "phi3": ("phi3", {}, {}),
    "phi3-windowed": ("phi3", {"sliding_window": 4, "rope_parameters": WHOLE_HEADS}, {}),
    "phi3-long": (
        "phi3",
        {"rope_parameters": LONG_TEXTS, "original_max_position_embeddings": 64},
        {"extra": FACTORS, "about": {"rope.scaling.attn_factor": 1.2}},
    ),
    "phi3-longer": (
        "phi3",
        {"rope_parameters": LONG_TEXTS, "original_max_position_embeddings": 16},
        {"extra": FACTORS, "about": {"rope.scaling.attn_factor": 1.2}},
    ),
    "bloom": ("bloom", {}, {}),
    "stablelm-3b": ("stablelm", {}, {}),
    "stablelm-1.6b": ("stablelm", {"use_qkv_bias": True, "rope_parameters": {"partial_rotary_factor": 0.25}}, {}),
    "stablelm-12b": ("stablelm", {"use_parallel_residual": True, "qk_layernorm": True}, {}),
    "stablelm-whole": (
        "stablelm",
        {"rope_parameters": {"partial_rotary_factor": 1.0}},
        {"about": {"rope.dimension_count": None}},
    ),
    "starcoder2": ("starcoder2", {}, {}),
    "starcoder2-windowed": ("starcoder2", {"sliding_window": 4, "use_bias": False}, WINDOW),
    "nemotron": ("nemotron", {}, {}),
    "nemotron-biased": (
        "nemotron",
        {
            **{"attention_bias": True, "mlp_bias": True},
            "rope_parameters": {**WHOLE_HEADS, "rope_type": "linear", "factor": 4.0, "partial_rotary_factor": 0.5},
        },
        {"about": {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}},
    ),
}


def converted(path: Path) -> Path:
    """The folder that a file becomes."""
    folder = path.with_suffix("")
    folder.mkdir()
    convert_gguf([path], folder)
    return folder


@torch.no_grad()
@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_comes_back_and_its_adapter_is_it(name: str, tmp_path: Path) -> None:
    architecture, settings, beside = MEMBERS[name]
    model = random_model(architecture, **settings)
    write_gguf(tmp_path / "tiny.gguf", model, architecture, **beside)
    expected = model(torch.tensor([TOKENS])).logits[0]
    found = AutoModelForCausalLM.from_pretrained(converted(tmp_path / "tiny.gguf"))
    bound = 1e-5 * expected.abs().max().item()
    assert (found(torch.tensor([TOKENS])).logits[0] - expected).abs().max().item() < bound
    assert found.config.model_type == model.config.model_type or name == "mistral"  # "llama" without a window is it
    assert getattr(found.config, "sliding_window", None) == getattr(model.config, "sliding_window", None)
    adapter = adapt(found)
    inside = TOKENS[: adapter.context]  # Phi-3 turns all positions otherwise in longer texts
    prefix = read_prompts(adapter, [inside], [range(len(inside))])
    expected = model(torch.tensor([inside])).logits[0]
    assert (adapter.unembed(adapter.final_norm(prefix.final[0])) - expected).abs().max().item() < bound


FURTHER = {
    "a window of Qwen": ("qwen2", WINDOW, "states a window of 4 tokens, which family 'qwen2' has not"),
    "a cap of LLaMA": ("llama", {"about": {"final_logit_softcapping": 5.0}}, "states final_logit_softcapping, which"),
    "half of the factors": ("phi3", {"extra": {"rope_factors_long.weight": np.ones(3, np.float32)}}, "holds one of"),
    "linear Phi-3": (
        "phi3",
        {"about": {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}},
        "by 'linear', which",
    ),
    "a scale of YaRN": (
        "llama",
        {"about": {"rope.scaling.attn_factor": 2.0}},
        "states rope.scaling.attn_factor, which",
    ),
    "factors without rotation": ("bloom", {"extra": {"rope_freqs.weight": np.ones(4, np.float32)}}, "does not know"),
    "a part of a head": (
        "qwen2",
        {"about": {"rope.dimension_count": 4}},
        "heads have 4 coordinates, family 'qwen2' only",
    ),
    "a listed pattern": (
        "gemma2",
        {"about": {"attention.sliding_window_pattern": [True, False]}},
        "states attention.sliding_window_pattern as a list of 2 entries",
    ),
    "a listed window": (
        "llama",
        {"about": {"attention.sliding_window": [4, 8]}},
        "states attention.sliding_window as a list of 2 entries",
    ),
    "no pattern": (
        "gemma3",
        {"about": {"attention.sliding_window_pattern": 0}},
        "states attention.sliding_window_pattern as 0; allowed: numbers of layers",
    ),
    "an unstated context": ("falcon", {"about": {"context_length": None}}, "does not state context_length"),
    "an unstated epsilon": (
        "llama",
        {"about": {"attention.layer_norm_rms_epsilon": None}},
        "does not state attention.layer_norm_epsilon",
    ),
    "an odd rotation": ("phi3", {"about": {"rope.dimension_count": 3}}, "rope.dimension_count as 3; allowed: even"),
    "a long rotation": ("stablelm", {"about": {"rope.dimension_count": 64}}, "as 64; allowed: even numbers up to 8"),
    "a huge number of layers": (
        "gemma3",
        {"about": {"block_count": (1 << 32) - 1}},
        "states block_count as 4294967295, its tensors are of 7 layers",
    ),
    "a layer too many": ("llama", {"about": {"block_count": 1}}, "states block_count as 1, its tensors are of 2"),
    "an encoder": ("llama", {"about": {"attention.causal": False}}, "its attention looks ahead (attention.causal)"),
    "an untied Gemma 2": (
        "gemma2",
        {"extra": {"output.weight": np.ones((8, 32), np.float32)}},
        "model's lm_head.weight",
    ),
    "a biased Falcon": (
        "falcon",
        {"extra": {"blk.0.attn_qkv.bias": np.ones(48, np.float32)}},
        "has no place: blk.0.attn",
    ),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_what_a_family_does_not_have_is_one_line(kind: str, tmp_path: Path) -> None:
    architecture, settings, cause = FURTHER[kind]
    write_gguf(tmp_path / "tiny.gguf", random_model(architecture), architecture, **settings)
    with pytest.raises(UserError) as caught:
        converted(tmp_path / "tiny.gguf")
    assert line_of(caught).startswith(f"{tmp_path / 'tiny.gguf'}: ")
    assert cause in line_of(caught)


def test_a_factor_without_a_kind_scales_linearly(tmp_path: Path) -> None:
    """As in llama.cpp."""
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"), about={"rope.scaling.factor": 4.0})
    rope = config_of(tmp_path / "tiny.gguf").rope_parameters
    assert (rope["rope_type"], rope["factor"]) == ("linear", 4.0)


def test_splits_say_together_what_a_model_is_like(tmp_path: Path) -> None:
    """The first, which alone transformers reads for it, has neither biases nor a norm in front of the MLP."""
    model = random_model("stablelm", use_qkv_bias=True)
    write_gguf(tmp_path / "tiny.gguf", model, "stablelm", split_max_tensors=1)
    (tmp_path / "model").mkdir()
    convert_gguf(sorted(tmp_path.glob("*.gguf")), tmp_path / "model")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], weight) for name, weight in model.state_dict().items())


def test_falcon_keeps_no_names_that_its_model_does_not_read(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model("falcon"), "falcon")
    config = json.loads((converted(tmp_path / "tiny.gguf") / "config.json").read_text())
    assert (config["ffn_hidden_size"], config["num_kv_heads"]) == (128, 1)
    assert not {"intermediate_size", "num_key_value_heads"} & config.keys()
