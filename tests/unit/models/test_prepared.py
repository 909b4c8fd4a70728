"""Prepared models: a file that is not the recorded one is found when the model is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dkn.decoder.loading import open_model
from dkn.errors import UserError
from dkn.models import prepared as prepared_module
from dkn.models.prepared import require_as_prepared
from dkn.storage.provenance import sha256
from tests.unit.model_folders import digest, prepare
from tests.unit.one_line import line_of
from tests.unit.stage_runs import status_of


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A prepared model."""
    return prepare(saved, tmp_path / "results" / "tiny" / "model")


@pytest.fixture
def summed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose checksums are computed."""
    names: list[str] = []

    def noting(path: Path) -> str:
        names.append(path.name)
        return sha256(path)

    monkeypatch.setattr(prepared_module, "sha256", noting)
    return names


def flip(path: Path) -> None:
    """Flip one bit of a file without any trace in its times but that of its status."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def dangle(path: Path) -> None:
    """Leave a link to nowhere in a file's place."""
    path.unlink()
    path.symlink_to("/nowhere/model.safetensors")


CHANGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a flipped bit": (lambda model: flip(model / "model.safetensors"), "model.safetensors", "has changed since"),
    "another config": (lambda model: (model / "config.json").write_text("{}"), "config.json", "has changed since"),
    "a vanished file": (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json", "missing since"),
    "a vanished source": (lambda model: dangle(model / "model.safetensors"), "model.safetensors", "links to /nowhere"),
    "one file more": (
        lambda model: (model / "adapter_config.json").write_text("{}"),
        "adapter_config.json",
        "not ther",
    ),
    "no record": (lambda model: (model / "provenance.json").unlink(), "provenance.json", "no record"),
    "an empty record": (lambda model: (model / "provenance.json").write_text("{}"), "provenance.json", "no record"),
    "a broken record": (lambda model: (model / "provenance.json").write_text("{"), "provenance.json", "no JSON object"),
    "a record of text": (
        lambda model: (model / "provenance.json").write_text('{"files": "all"}'),
        "provenance.json",
        "no record",
    ),
}


@pytest.mark.parametrize("opened_before", [False, True])
@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_one_line_that_says_how_to_mend_it(kind: str, opened_before: bool, model: Path) -> None:
    spoil, name, cause = CHANGES[kind]
    if opened_before:
        open_model(model, "cpu", "float32", 1, 1)
    spoil(model)
    with pytest.raises(UserError) as caught:
        open_model(model, "cpu", "float32", 1, 1)
    assert line_of(caught).startswith(f"{model / name}: ")
    assert cause in line_of(caught)
    assert "no JSON" in cause or f"snakemake --cores 1 --force {model}" in line_of(caught)


def test_checksums_are_computed_once(model: Path, summed: list[str]) -> None:
    require_as_prepared(model)
    files = set(json.loads((model / "provenance.json").read_text())["files"])
    assert set(summed) == files >= {"config.json", "model.safetensors"}
    summed.clear()
    require_as_prepared(model)
    assert not summed
    (model / "config.json").touch()
    require_as_prepared(model)
    assert summed == ["config.json"]
    summed.clear()
    require_as_prepared(model, read_all=True)
    assert set(summed) == files


@pytest.mark.parametrize("note", ["", "[]", '{"model.safetensors": 3}', '{"model.safetensors": ["0", 1, 2, 3]}'])
def test_a_note_that_is_wrong_is_no_proof(note: str, model: Path, summed: list[str]) -> None:
    (model.parent / ".model.verified.json").write_text(note)
    flip(model / "model.safetensors")
    with pytest.raises(UserError, match="has changed since"):
        require_as_prepared(model)
    assert "model.safetensors" in summed


def test_a_prepared_folder_stays_as_it_is(model: Path) -> None:
    """The note lies beside it: caches and records go by the folder's files."""
    before = {path.name: digest(path) for path in model.iterdir()}
    open_model(model, "cpu", "float32", 1, 1)
    assert {path.name: digest(path) for path in model.iterdir()} == before
    assert (model.parent / ".model.verified.json").is_file()


@pytest.mark.parametrize("error", [PermissionError(13, "read only"), UserError("no space")])
def test_a_folder_that_cannot_take_a_note_opens(error: Exception, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(prepared_module, "write_json", refuse)
    require_as_prepared(model)


def test_saved_files_have_the_mode_that_the_umask_gives(saved: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        model = prepare(saved, tmp_path / "model")
        assert {path.stat().st_mode & 0o777 for path in model.iterdir() if path.name != "provenance.json"} == {0o640}
    finally:
        os.umask(before)


def test_a_links_target_keeps_its_mode(local: Path, tmp_path: Path) -> None:
    (local / "model.safetensors").chmod(0o400)
    assert status_of(["model-folder", "--path", str(local), "--output", str(tmp_path / "model")]) == 0
    assert (local / "model.safetensors").stat().st_mode & 0o777 == 0o400
