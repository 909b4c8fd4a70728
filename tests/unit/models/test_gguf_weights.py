"""GGUF files as models: every weight of every family and type comes back, and nothing is dropped without a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from dkn.errors import UserError
from dkn.models.gguf_weights import convert_gguf
from dkn.stages import PACKAGE
from tests.unit.gguf_models import LLAMA3, MODELS, pieces, random_model, write_gguf
from tests.unit.one_line import line_of

READ = sorted(kind.name for kind in (*gguf.quants._type_traits, gguf.GGMLQuantizationType.F16))
TOKENS = torch.arange(2, 42)[None]  # longer than every window


def converted(paths: list[Path], folder: Path) -> Path:
    """The folder that a file or its splits become."""
    folder.mkdir()
    convert_gguf(paths, folder)
    return folder


def differs(folder: Path, model: Any) -> float:
    """How far a folder's logits are from a model's, at every position."""
    with torch.no_grad():
        found = AutoModelForCausalLM.from_pretrained(folder)(TOKENS).logits
        return (found - model(TOKENS).logits).abs().max().item()


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "BF16"])
@pytest.mark.parametrize("architecture", MODELS)
def test_a_model_of_every_family_comes_back(architecture: str, kind: str, tmp_path: Path) -> None:
    """Norms that are one larger, rows that were exchanged, matrices that were turned, and what a config says of it."""
    model = random_model(architecture)
    expected = write_gguf(tmp_path / "tiny.gguf", model, architecture, kind)
    folder = converted([tmp_path / "tiny.gguf"], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(weights[name], weight, atol=1e-6, rtol=1e-6)
    assert differs(folder, model) < 1e-4


@pytest.mark.parametrize("architecture", [name for name in MODELS if name != "gemma2"])  # which has no tensor for it
def test_an_untied_unembedding_comes_back(architecture: str, tmp_path: Path) -> None:
    model = random_model(architecture, tie_word_embeddings=False)
    write_gguf(tmp_path / "tiny.gguf", model, architecture)
    assert differs(converted([tmp_path / "tiny.gguf"], tmp_path / "model"), model) < 1e-4


@pytest.mark.parametrize("kind", READ)
def test_every_type_that_the_package_reads_is_dequantised(kind: str, tmp_path: Path) -> None:
    """Blocks of random bytes, whatever numbers they stand for."""
    model = random_model("llama", hidden_size=256, intermediate_size=256, head_dim=64)
    quantisation = gguf.GGMLQuantizationType[kind]
    numbers, size = gguf.GGML_QUANT_SIZES[quantisation]
    draw = np.random.default_rng(0).integers(0, 60, (256, 256 // numbers * size), dtype=np.uint8)
    packed = draw.view(np.float16) if kind == "F16" else draw.view(np.float32) if kind == "F32" else draw
    expected = gguf.quants.dequantize(packed, quantisation)
    add = gguf.GGUFWriter.add_tensor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            gguf.GGUFWriter,
            "add_tensor",
            lambda writer, name, tensor, raw_dtype=None: (
                add(writer, name, packed, raw_dtype=quantisation)
                if name == "blk.1.ffn_down.weight"
                else add(writer, name, tensor, raw_dtype=raw_dtype)
            ),
        )
        write_gguf(tmp_path / "tiny.gguf", model)
    weights = load_file(converted([tmp_path / "tiny.gguf"], tmp_path / "model") / "model.safetensors")
    found = weights["model.layers.1.mlp.down_proj.weight"].numpy()
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_splits_are_one_model(tmp_path: Path) -> None:
    model = random_model("llama", tie_word_embeddings=False)
    write_gguf(tmp_path / "tiny.gguf", model, split_max_tensors=8)
    splits = sorted(tmp_path.glob("*.gguf"))
    assert len(splits) > 2
    assert splits[0].name.startswith("tiny-00001-of-")
    assert differs(converted(splits, tmp_path / "model"), model) < 1e-4


# --- positions ----------------------------------------------------------------------------------------------


def test_the_factors_of_llama_3s_positions_are_kept(tmp_path: Path) -> None:
    """A file holds them as a tensor, which transformers drops."""
    model = random_model("llama", rope_parameters=LLAMA3)
    plain = 1.0 / 10000.0 ** (torch.arange(0, 8, 2) / 8)
    factors = (plain / model.model.rotary_emb.inv_freq).numpy()
    assert len(set(factors.round(3))) > 1
    write_gguf(tmp_path / "tiny.gguf", model, extra={"rope_freqs.weight": factors.astype(np.float32)})
    assert differs(converted([tmp_path / "tiny.gguf"], tmp_path / "model"), model) < 1e-4


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3"])
@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_scaled_positions_are_kept(architecture: str, kind: str, tmp_path: Path) -> None:
    scaling = {"rope_type": kind, "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 16}
    if kind == "linear":
        del scaling["original_max_position_embeddings"]
    local = {"rope_type": "default", "rope_theta": 10000.0}
    of_layers = {"full_attention": scaling, "sliding_attention": local} if architecture == "gemma3" else scaling
    model = random_model(architecture, rope_parameters=of_layers)
    about = {"rope.scaling.type": kind, "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16}
    write_gguf(tmp_path / "tiny.gguf", model, architecture, about=about)
    assert differs(converted([tmp_path / "tiny.gguf"], tmp_path / "model"), model) < 1e-4


# --- what is refused ----------------------------------------------------------------------------------------


def extra(name: str, *shape: int) -> dict[str, Any]:
    """Further tensors of a file."""
    return {"extra": {name: np.zeros(shape, dtype=np.float32)}}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a bias without a place": ({}, extra("blk.0.attn_q.bias", 32), "1 tensors for which the architecture has no place"),
    "an expert": ({}, extra("blk.0.ffn_gate_exps.weight", 2, 64, 32), "no place: blk.0.ffn_gate_exps.weight"),
    "a layer is missing": ({}, {"about": {"block_count": 3}}, "states block_count as 3, its tensors are of 2 layers"),
    "another width": ({}, {"about": {"feed_forward_length": 48}}, "is 64 by 32, the architecture needs 48 by 32"),
    "unknown scaling": ({}, {"about": {"rope.scaling.type": "su"}}, "positions are scaled by 'su'"),
    "a part of a head is turned": ({}, {"about": {"attention.key_length": 16}}, "differ in size"),
    "an integer tensor": (
        {},
        {"extra": {"blk.0.ffn_up.bias": np.zeros(4, dtype=np.int32)}},
        "no place: blk.0.ffn_up.bias",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_architecture_cannot_hold_is_one_line(kind: str, tmp_path: Path) -> None:
    sizes, settings, cause = REFUSED[kind]
    write_gguf(tmp_path / "tiny.gguf", random_model("llama", **sizes), **settings)
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError) as caught:
        convert_gguf([tmp_path / "tiny.gguf"], tmp_path / "model")
    assert line_of(caught).startswith(f"{tmp_path / 'tiny.gguf'}: ")
    assert cause in line_of(caught)


def test_a_file_that_is_cut_off_is_one_line(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"))
    first, _ = pieces(tmp_path / "tiny.gguf", 2)
    with pytest.raises(UserError) as caught:
        convert_gguf([first], tmp_path)
    assert line_of(caught).startswith(f"{first}: cut off: it has ")


# --- memory -------------------------------------------------------------------------------------------------

MEASURED = """
import re, sys
from pathlib import Path
from dkn.models.gguf_weights import convert_gguf
def peak():  # of this process alone; what getrusage says counts the one that started it
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
convert_gguf([Path(sys.argv[1])], Path(sys.argv[2]))
print(peak() - before)
"""


def test_memory_never_holds_all_weights(tmp_path: Path) -> None:
    """The file, half as large as the weights in float32, counts too; all of them at once would be 1.5 times as much."""
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "head_dim": 128, "num_key_value_heads": 4}
    model = random_model("llama", **sizes, num_hidden_layers=3)
    size = 4 * sum(weight.numel() for weight in model.parameters())
    write_gguf(tmp_path / "tiny.gguf", model, kind="F16")
    (tmp_path / "model").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "tiny.gguf"), str(tmp_path / "model")],
        env={"PYTHONPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert size > 150e6
    assert 0 < int(result.stdout.split()[-1]) < 1.25 * size
