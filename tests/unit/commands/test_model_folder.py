"""The stage that links a model's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from dkn.decoder.loading import load, open_model
from dkn.storage.files import read_json
from tests.unit.model_folders import TEXT, change_json, change_tensors, check_prepared, logits, shard
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


def as_bfloat16(folder: Path) -> None:
    """Round a saved model's weights to bfloat16, as most checkpoints have them."""
    change_tensors(folder, lambda tensors: tensors.update({name: t.bfloat16() for name, t in tensors.items()}))
    change_json(folder / "config.json", dtype="bfloat16")


@pytest.mark.parametrize("sharded", [False, True], ids=["one file", "shards"])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
def test_weights_in_shards_or_in_bfloat16_are_one_model(sharded: bool, half: bool, local: Path, tmp_path: Path) -> None:
    """Loaded as float32, a model computes with the numbers that its files have, whatever their type and place."""
    if half:
        as_bfloat16(local)
    expected = AutoModelForCausalLM.from_pretrained(local, dtype=torch.float32)
    shards = shard(local) if sharded else [local / "model.safetensors"]
    output = tmp_path / "results" / "model"
    assert status_of(["model-folder", "--path", str(local), "--output", str(output)]) == 0
    assert {path.name for path in shards} <= read_json(output / "provenance.json")["files"].keys()
    found = load(output, device="cpu")
    assert {weight.dtype for weight in found.adapter.model.parameters()} == {torch.float32}
    tokens = found.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    torch.testing.assert_close(found.adapter.model(tokens).logits, expected(tokens).logits)
    loaded = load(output, device="cpu", dtype="bfloat16").adapter.model
    assert {weight.dtype for weight in loaded.parameters()} == {torch.bfloat16}


def test_a_missing_shard_is_one_line(local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard(local)[1].unlink()
    assert status_of(["model-folder", "--path", str(local), "--output", str(tmp_path / "out" / "model")]) == 1
    error = capsys.readouterr().err
    assert error == (
        f"error: {local}: model-00002-of-00002.safetensors is missing, which model.safetensors.index.json names; "
        "fetch or copy it again\n"
    )


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """The size and the time of the last change of a folder and of its files."""
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in (folder, *sorted(folder.iterdir()))}


def test_a_folder_that_may_only_be_read_is_prepared_and_loads(local: Path, tmp_path: Path) -> None:
    """As on a file system that is mounted read-only: nothing is written beside the weights, no lock and no cache."""
    for path in (*local.iterdir(), local):
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = state(local)
    try:
        output = tmp_path / "results" / "model"
        assert status_of(["model-folder", "--path", str(local), "--output", str(output)]) == 0
        check_prepared(output, local, "model-folder", {"path": str(local)})
        open_model(output, "cpu", "float32", 1, 1)
        assert state(local) == before
    finally:
        local.chmod(0o700)
