"""The stage that prepares a model from a local GGUF file, or from its parts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from dkn.decoder.loading import load
from dkn.storage.files import read_json
from tests.unit.gguf_models import pieces, random_model, write_gguf
from tests.unit.model_folders import digest
from tests.unit.stage_runs import status_of

TOKENS = torch.arange(2, 12)[None]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen3"])
@pytest.mark.parametrize("parts", ["one file", "byte pieces", "splits"])
def test_a_files_model_is_prepared(architecture: str, parts: str, tmp_path: Path) -> None:
    model = random_model(architecture)
    splits = {"split_max_tensors": 8} if parts == "splits" else {}
    write_gguf(tmp_path / "tiny.gguf", model, architecture, **splits)
    paths = pieces(tmp_path / "tiny.gguf", 3) if parts == "byte pieces" else sorted(tmp_path.glob("*.gguf"))
    output = tmp_path / "results" / "model"
    whole = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    flags = [*(f"--path={path}" for path in paths), f"--sha256={whole}", f"--output={output}"]
    assert status_of(["model-gguf", *flags]) == 0
    found = load(output, device="cpu").adapter.model
    torch.testing.assert_close(found(TOKENS).logits, model(TOKENS).logits, atol=1e-4, rtol=1e-4)
    record = read_json(output / "provenance.json")
    assert record["settings"] == {"path": list(map(str, paths)), "sha256": whole}
    assert sorted(record["inputs"].values()) == sorted(map(digest, paths))
    assert record["files"]["model.safetensors"] == digest(output / "model.safetensors")
    assert not list(output.rglob("*.gguf"))
    assert json.loads((output / "config.json").read_text())["model_type"] == architecture


@pytest.mark.parametrize("kind", ["another checksum", "a missing part", "another family"])
def test_what_cannot_be_prepared_is_one_line(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = tmp_path / "tiny.gguf", tmp_path / "results" / "model"
    write_gguf(path, random_model("llama"))
    if kind == "another family":
        path.write_bytes(path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba", 1))
    flags = {"another checksum": ["--sha256", "0" * 64], "a missing part": ["--path", "absent"]}.get(kind, [])
    causes = {"another checksum": "sha256 is ", "a missing part": "absent: no such file", "another family": "'mamba'"}
    assert status_of(["model-gguf", "--path", str(path), *flags, "--output", str(output)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert causes[kind] in error
    assert not list(output.parent.iterdir())


def test_an_error_about_joined_parts_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not the temporary one, which is gone by then."""
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"), about={"block_count": 3})
    flags = [f"--path={path}" for path in pieces(tmp_path / "tiny.gguf", 2)]
    assert status_of(["model-gguf", *flags, "--output", str(tmp_path / "results" / "model")]) == 1
    assert capsys.readouterr().err.startswith("error: tiny.gguf: states block_count as 3, its tensors are of 2 ")


def test_a_file_that_may_only_be_read_is_prepared(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    write_gguf(folder / "tiny.gguf", random_model("llama"))
    (folder / "tiny.gguf").chmod(0o400)
    folder.chmod(0o500)
    try:
        output = tmp_path / "results" / "model"
        assert status_of(["model-gguf", "--path", str(folder / "tiny.gguf"), "--output", str(output)]) == 0
    finally:
        folder.chmod(0o700)
    assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]
