"""A model by whatever names it: it is prepared as the stage of its source does, and mistakes are one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from dkn.errors import UserError
from dkn.models.named import is_prepared, prepared_folder, short_name
from dkn.storage.files import read_json
from tests.unit.gguf_models import random_model, write_gguf
from tests.unit.model_folders import COMMIT, REPO, change_json, prepare, refuse
from tests.unit.one_line import line_of
from tests.unit.stage_runs import status_of


def require_as_stage(folder: Path, stage: str, *flags: str) -> None:
    """Fail unless a prepared folder has the record that the stage writes, checksums and all."""
    output = folder.parent / "by-stage"
    assert status_of([stage, *flags, "--output", str(output)]) == 0
    assert read_json(folder / "provenance.json") == read_json(output / "provenance.json")


def test_a_folder_is_prepared_as_its_stage_does(saved: Path, tmp_path: Path) -> None:
    assert not is_prepared(saved)  # its provenance.json is none
    folder = prepared_folder(str(saved), None, tmp_path)
    assert folder == tmp_path / "model"
    assert (folder / "model.safetensors").is_symlink()
    require_as_stage(folder, "model-folder", f"--path={saved}")


def test_a_gguf_file_is_prepared_as_its_stage_does(tmp_path: Path) -> None:
    path, scratch = tmp_path / "tiny.gguf", tmp_path / "scratch"
    scratch.mkdir()
    write_gguf(path, random_model("llama"))
    require_as_stage(prepared_folder(str(path), None, scratch), "model-gguf", f"--path={path}")
    assert short_name(str(path)) == "tiny"


@pytest.mark.parametrize("revision", ["main", COMMIT], ids=["branch", "commit"])
@pytest.mark.usefixtures("offline")
def test_a_model_of_the_hub_is_prepared_as_its_stage_does(revision: str, tmp_path: Path) -> None:
    require_as_stage(prepared_folder(REPO, revision, tmp_path), "model-hub", f"--repo={REPO}", f"--revision={revision}")
    assert short_name(REPO) == REPO


def test_a_prepared_folder_is_taken_as_it_is(saved: Path, tmp_path: Path) -> None:
    prepared = prepare(saved, tmp_path / "results" / "tiny" / "model")
    for named in (prepared, prepared.parent):
        assert prepared_folder(str(named), None, tmp_path) == prepared
        assert short_name(str(named)) == "tiny"
    moved = prepared.rename(tmp_path / "moved")
    assert prepared_folder(str(moved), None, tmp_path) == moved
    assert short_name(str(moved)) == "moved"


@pytest.mark.parametrize(
    ("model", "revision", "said"),
    [
        ("", None, "the model's name is empty"),
        ("nowhere", None, "nowhere: no such folder or .gguf file"),
        ("no/file.gguf", "main", "no/file.gguf: no such folder or .gguf file"),
        ("no/where", None, "needs a revision"),
        ("no/where", "main", "no/where @ main: the hub cannot be reached"),
        ("saved", "main", "a revision is for models of the hub"),
        ("empty", None, "config.json is missing"),
        ("text.gguf", None, "not a GGUF file"),
        ("refused", None, "has no adapter"),
    ],
)
def test_what_names_no_model_is_one_line(
    model: str, revision: str | None, said: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(monkeypatch, LocalEntryNotFoundError("no network"))
    scratch = tmp_path / "scratch"
    for folder in ("empty", "scratch"):
        Path(folder).mkdir()
    Path("text.gguf").write_text("text")
    shutil.copytree(saved, "saved")
    shutil.copytree(saved, "refused")
    change_json(Path("refused") / "config.json", model_type="mamba")
    with pytest.raises(UserError) as caught:
        prepared_folder(model, revision, scratch)
    line = line_of(caught)
    assert said in line
    assert "source:" not in line  # of a configuration, which there is none of
    assert not list(scratch.iterdir())
