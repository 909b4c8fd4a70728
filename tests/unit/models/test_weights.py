"""Weights as their files describe them: whatever a header, an index or a config gets wrong is one line."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dkn.errors import UserError
from dkn.models.files import parameters
from dkn.models.weights import StoredTensor, all_tensors, json_object, require_weights, stored_tensors
from tests.unit.model_folders import change_tensors, shard, with_header
from tests.unit.one_line import line_of

NAME = "transformer.h.1.mlp.c_fc.weight"


def config_of(folder: Path) -> dict[str, Any]:
    """The saved model's config."""
    return json.loads((folder / "config.json").read_text())


def test_headers_describe_every_tensor(saved: Path) -> None:
    tensors = require_weights(saved, config_of(saved))
    assert tensors.keys() == stored_tensors(saved / "model.safetensors").keys()
    assert (tensors[NAME].dtype, tensors[NAME].shape) == ("F32", (16, 64))
    assert tensors[NAME].end - tensors[NAME].start == 4 * 16 * 64
    assert parameters(saved) == sum(tensor.end - tensor.start for tensor in tensors.values()) // 4


def test_shards_are_one_model(local: Path) -> None:
    whole = all_tensors(local)
    shard(local)
    assert all_tensors(local).keys() == whole.keys()
    require_weights(local, config_of(local))


# --- one file -----------------------------------------------------------------------------------------------


def cut(share: float) -> Callable[[Path], object]:
    """Keep this share of a file."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(len(path.read_bytes()) * share)])


def entry(**changes: Any) -> Callable[[Path], object]:
    """Change the entry of one tensor in the header."""
    return lambda path: with_header(path, lambda header: header[NAME].update(changes))


def without_entry(path: Path) -> None:
    """Take one tensor out of the header, whose bytes stay."""
    with_header(path, lambda header: header.pop(NAME))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not a safetensors file"),
    "few bytes": (lambda path: path.write_bytes(b"abc"), "not a safetensors file"),
    "pickle": (lambda path: path.write_bytes(b"\x80\x04" + bytes(range(256))), "not a safetensors file"),
    "LFS pointer": (lambda path: path.write_text(POINTER), "pointer of Git LFS"),
    "cut off in the header": (cut(0.01), "cut off within its header"),
    "cut off in the tensors": (cut(0.5), "cut off: it has 24448 bytes, its header says 48896"),
    "bytes at the end": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "longer than its tensors"),
    "a header of gigabytes": (lambda path: path.write_bytes(struct.pack("<Q", 1 << 40) + bytes(64)), "not a safetens"),
    "no JSON": (lambda path: path.write_bytes(struct.pack("<Q", 8) + b"{" * 8), "its header cannot be read"),
    "deep JSON": (lambda path: path.write_bytes(struct.pack("<Q", 90000) + b"[" * 90000), "its header cannot be read"),
    "a list": (lambda path: path.write_bytes(struct.pack("<Q", 4) + b"[1] "), "its header cannot be read"),
    "a name twice": (
        lambda path: path.write_bytes(struct.pack("<Q", 15) + b'{"a":{},"a":{}}'),
        "its header cannot be read: a name stands twice in it",
    ),
    "no tensor's entry": (lambda path: with_header(path, lambda header: header.update({NAME: 3})), f"for {NAME}"),
    "a shape of text": (entry(shape="16"), f"for {NAME}"),
    "a negative size": (entry(shape=[-16, -64]), f"for {NAME}"),
    "another shape": (entry(shape=[16, 63]), f"{NAME} has 4096 bytes"),
    "another type": (entry(dtype="F16"), f"{NAME} has 4096 bytes"),
    "overlap": (entry(data_offsets=[0, 4096]), "does not start where the one before it ends"),
    "a gap": (without_entry, "does not start where the one before it ends"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_one_line(kind: str, local: Path) -> None:
    spoil, cause = DAMAGED[kind]
    spoil(local / "model.safetensors")
    with pytest.raises(UserError) as caught:
        require_weights(local, config_of(local))
    assert line_of(caught).startswith(f"{local / 'model.safetensors'}: ")
    assert cause in line_of(caught)


@pytest.mark.parametrize("content", [POINTER, "", "[]", "{", "\udcff", "[" * 90000])
def test_a_file_that_is_no_object_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UserError) as caught:
        json_object(path)
    assert line_of(caught).startswith(f"{path}: {'a pointer of Git LFS' if content == POINTER else 'no JSON object'}")


# --- several files ------------------------------------------------------------------------------------------


def index(**places: Any) -> Callable[[Path], object]:
    """Change where the index says that tensors lie."""

    def change(folder: Path) -> None:
        path = folder / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": json.loads(path.read_text())["weight_map"] | places}))

    return change


SHARDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing shard": (
        lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(),
        "model-00002-of-00002.safetensors is missing",
    ),
    "no index": (
        lambda folder: (folder / "model.safetensors.index.json").unlink(),
        "neither model.safetensors nor model.safetensors.index.json",
    ),
    "an empty index": (lambda folder: (folder / "model.safetensors.index.json").write_text("{}"), "names no weights"),
    "a path out of the folder": (index(more="../model.safetensors"), "is no .safetensors file beside it"),
    "a pickle": (index(more="pytorch_model.bin"), "is no .safetensors file beside it"),
    "a number": (index(more=3), "is no .safetensors file beside it"),
    "a tensor that is not there": (index(more="model-00001-of-00002.safetensors"), "lacks more, which"),
    "one shard twice": (
        lambda folder: (folder / "model-00002-of-00002.safetensors").write_bytes(
            (folder / "model-00001-of-00002.safetensors").read_bytes()
        ),
        "which model.safetensors.index.json places in it",
    ),
}


@pytest.mark.parametrize("kind", SHARDS)
def test_shards_that_do_not_make_a_model_are_one_line(kind: str, local: Path) -> None:
    shard(local)
    spoil, cause = SHARDS[kind]
    spoil(local)
    with pytest.raises(UserError) as caught:
        require_weights(local, config_of(local))
    assert line_of(caught).startswith(str(local))
    assert cause in line_of(caught)


# --- against the config -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"n_layer": 3}, "config.json says 3 layers, the weights have 2"),
        ({"n_layer": 10**9}, "config.json says 1000000000 layers, the weights have 2"),
        ({"vocab_size": 999}, "config.json says embeddings of 999 by 16"),
        ({"n_embd": 32}, "by 32, tensor transformer.wte.weight is"),
    ],
)
def test_sizes_that_contradict_the_config_are_one_line(changes: dict[str, int], cause: str, saved: Path) -> None:
    with pytest.raises(UserError) as caught:
        require_weights(saved, config_of(saved) | changes)
    assert cause in line_of(caught)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.float8_e4m3fn])
def test_quantised_weights_are_one_line(dtype: torch.dtype, local: Path) -> None:
    change_tensors(local, lambda tensors: tensors.update({NAME: tensors[NAME].to(dtype)}))
    with pytest.raises(UserError) as caught:
        require_weights(local, config_of(local))
    assert f"tensor {NAME} is of type" in line_of(caught)
    assert "F32, F16, BF16" in line_of(caught)


def test_the_masks_of_older_checkpoints_pass(local: Path) -> None:
    mask = torch.ones(1, 1, 32, 32, dtype=torch.bool).tril()
    added = {"transformer.h.0.attn.bias": mask, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}
    change_tensors(local, lambda tensors: tensors.update(added))
    assert require_weights(local, config_of(local))["transformer.h.0.attn.bias"] == StoredTensor(
        "BOOL", (1, 1, 32, 32), *_place(local)
    )


def _place(folder: Path) -> tuple[int, int]:
    """Where the mask lies."""
    tensor = all_tensors(folder)["transformer.h.0.attn.bias"]
    return tensor.start, tensor.end
