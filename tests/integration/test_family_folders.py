"""Models of every family as folders: what is saved opens again, with the names that other versions gave tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from dkn.decoder.loading import adapt
from dkn.errors import UserError
from dkn.models.families import has_gate, require_config
from dkn.models.opening import read_model
from dkn.models.weights import require_weights
from tests.integration.family_models import CONFIGS, GEMMA, PROMPTS, random_model
from tests.unit import plain

Tensors = dict[str, Tensor]


def opened(folder: Path) -> Any:
    """The model of a folder after all checks that need no tokenizer."""
    require_weights(folder, require_config(folder / "config.json", str(folder)))
    read_model(folder, device="meta")
    return adapt(read_model(folder)).model


@pytest.mark.parametrize("name", CONFIGS)
def test_a_saved_model_opens_as_it_was(name: str, tmp_path: Path) -> None:
    model = random_model(name)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    with torch.no_grad():
        assert torch.equal(plain.logits(opened(tmp_path), PROMPTS[0]), plain.logits(model, PROMPTS[0]))


@pytest.mark.parametrize("name", ["pythia", "gemma3", "opt-350m"])
def test_a_bfloat16_checkpoint_opens_in_float32(name: str, tmp_path: Path) -> None:
    random_model(name, torch.bfloat16).save_pretrained(tmp_path)
    assert read_model(tmp_path).dtype == torch.bfloat16
    expected = random_model(name)
    with torch.no_grad():
        for weight in expected.parameters():
            weight.copy_(weight.bfloat16())
        found = plain.logits(adapt(read_model(tmp_path, torch.float32)).model, PROMPTS[0])
        assert plain.relative_difference(found, plain.logits(expected, PROMPTS[0])) < 1e-5


def with_pythias_buffers(tensors: Tensors) -> None:
    """As Pythia's checkpoints have them: masks, and frequencies of the rotation."""
    for layer in range(3):
        tensors[f"gpt_neox.layers.{layer}.attention.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()
        tensors[f"gpt_neox.layers.{layer}.attention.masked_bias"] = torch.tensor(-1e9)
        tensors[f"gpt_neox.layers.{layer}.attention.rotary_emb.inv_freq"] = torch.ones(1)


def without_prefix(tensors: Tensors) -> None:
    """As OPT's first checkpoints name them."""
    for name in list(tensors):
        tensors[name.removeprefix("model.")] = tensors.pop(name)


def with_a_bias_too_many(tensors: Tensors) -> None:
    tensors["gpt_neox.layers.0.attention.bias"] = torch.ones(32)


def change(folder: Path, edit: Callable[[Tensors], None]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(("name", "edit"), [("pythia", with_pythias_buffers), ("opt", without_prefix)])
def test_what_other_versions_saved_opens(name: str, edit: Callable[[Tensors], None], tmp_path: Path) -> None:
    model = random_model(name)
    model.save_pretrained(tmp_path)
    change(tmp_path, edit)
    with torch.no_grad():
        assert torch.equal(plain.logits(opened(tmp_path), PROMPTS[0]), plain.logits(model, PROMPTS[0]))


def text_and_images() -> Any:
    """A tiny Gemma 3 that reads images too."""
    torch.manual_seed(0)
    images = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=GEMMA, vision_config={**images, "image_size": 28, "patch_size": 14}, mm_tokens_per_image=4
    )
    return Gemma3ForConditionalGeneration._from_config(config, attn_implementation="eager").eval()


def as_transformers_5(tensors: Tensors) -> None:
    """The order of names inside transformers, which some files have, too."""
    for name in list(tensors):
        moved = (
            name.replace("language_model.model.", "model.language_model.") if "language" in name else f"model.{name}"
        )
        tensors[moved] = tensors.pop(name)


@pytest.mark.parametrize("edit", [None, as_transformers_5])
def test_the_part_that_reads_texts_is_taken(edit: Callable[[Tensors], None] | None, tmp_path: Path) -> None:
    whole = text_and_images()
    whole.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "gemma3"
    if edit:
        change(tmp_path, edit)
    part = opened(tmp_path)
    assert has_gate(tmp_path)
    assert not [name for name, _ in part.named_parameters() if "vision" in name]
    with torch.no_grad():
        tokens = torch.tensor([PROMPTS[0]])
        assert plain.relative_difference(part(tokens).logits, whole(tokens).logits) < 1e-5


def test_a_tensor_too_many_is_named_beside_images_and_masks(tmp_path: Path) -> None:
    random_model("pythia").save_pretrained(tmp_path / "pythia")
    change(tmp_path / "pythia", with_a_bias_too_many)
    text_and_images().save_pretrained(tmp_path / "gemma3")
    change(tmp_path / "gemma3", lambda tensors: tensors.update({"language_model.model.extra": torch.ones(3)}))
    with pytest.raises(UserError, match=r"no place: gpt_neox\.layers\.0\.attention\.bias"):
        opened(tmp_path / "pythia")
    with pytest.raises(UserError, match=r"no place: model\.extra"):
        opened(tmp_path / "gemma3")


WITH_WINDOWS = ("mistral-windowed", "qwen2-windowed", "gemma2", "gemma3", "cohere2", "starcoder2", "gpt-neo")


@pytest.mark.parametrize("window", [0, -4])
@pytest.mark.parametrize("name", WITH_WINDOWS)
def test_a_window_that_no_model_has_is_named(name: str, window: int, tmp_path: Path) -> None:
    random_model(name).save_pretrained(tmp_path)
    key = "window_size" if name == "gpt-neo" else "sliding_window"
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: window}))
    with pytest.raises(UserError, match=f"config.json says {key} {window}; allowed: whole numbers from 1"):
        opened(tmp_path)


@pytest.mark.parametrize(("name", "key"), [("cohere", "logit_scale"), ("granite", "embedding_multiplier")])
def test_a_factor_of_0_is_not_blamed_on_the_adapter(name: str, key: str, tmp_path: Path) -> None:
    random_model(name).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: 0.0}))
    with pytest.raises(UserError, match="the model's logits are 0 for every token"):
        opened(tmp_path)
