"""The stage that links a model's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dkn.storage.files import read_json
from tests.unit.model_folders import change_tensors, check_prepared, logits
from tests.unit.stage_runs import status_of


def test_a_folder_is_linked_never_copied(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "model"
    assert status_of(["model-folder", "--path", str(saved), "--output", str(output)]) == 0
    check_prepared(output, saved, "model-folder", {"path": str(saved)})
    torch.testing.assert_close(logits(output), logits(saved))
    assert (saved / "provenance.json").read_text() == "not to be taken along"


def test_a_relative_folder_is_linked_from_anywhere(
    local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(["model-folder", "--path", "local", "--output", "results/model"]) == 0
    monkeypatch.chdir("/")
    check_prepared(tmp_path / "results" / "model", local, "model-folder", {"path": "local"})


def test_other_weights_give_another_record(local: Path, tmp_path: Path) -> None:
    records = []
    for _ in range(2):
        output = tmp_path / "model"
        assert status_of(["model-folder", "--path", str(local), "--output", str(output)]) == 0
        records.append(read_json(output / "provenance.json"))
        change_tensors(local, lambda tensors: tensors["transformer.wpe.weight"].mul_(2))
    assert records[0]["files"].keys() == records[1]["files"].keys()
    assert {name for name, sha in records[0]["files"].items() if records[1]["files"][name] != sha} == {
        "model.safetensors"
    }
