"""The config of a GGUF file against the model that the file was written from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dkn.models.gguf_config import read_config
from dkn.models.gguf_files import metadata
from tests.unit.gguf_models import MODELS, random_model, write_gguf

# What a file does not say, or says in numbers of fewer digits.
UNSAID = {"initializer_range", "transformers_version", "architectures", "_name_or_path", "use_cache", "pretraining_tp"}
UNSAID |= {"unk_token_id", "pad_token_id", "bos_token_id", "eos_token_id", "rms_norm_eps", "model_max_length"}
UNSAID |= {"feed_forward_length", "layer_norm_epsilon", "max_window_layers", "dtype"}


def config_of(path: Path, **about: Any) -> Any:
    """The config of a file, with other numbers in its header."""
    return read_config(path, {**metadata(path), **about}, {"token_embd.weight"}, None)


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
