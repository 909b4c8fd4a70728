"""The stage that takes a model from the hub's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dkn.__main__ import main
from dkn.decoder.loading import load
from dkn.models.sources import check_hub, hub_snapshot
from dkn.stages import PACKAGE
from tests.unit.model_folders import COMMIT, NOWHERE, REPO, check_prepared, logits
from tests.unit.stage_runs import status_of


@pytest.mark.parametrize("revision", ["main", COMMIT], ids=["branch", "commit"])
def test_a_cached_model_is_found_offline(revision: str, offline: Path, saved: Path, tmp_path: Path) -> None:
    check_hub(REPO, revision)
    assert hub_snapshot(REPO, revision) == offline
    output = tmp_path / "results" / "model"
    assert status_of(["model-hub", "--repo", REPO, "--revision", revision, "--output", str(output)]) == 0
    check_prepared(output, offline, "model-hub", {"repo": REPO, "revision": revision, "commit": COMMIT})
    torch.testing.assert_close(logits(output), logits(saved))


def test_a_cached_model_is_found_by_the_environments_settings(home: Path, tmp_path: Path) -> None:
    unset = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    result = subprocess.run(
        [sys.executable, "-m", "dkn", "model-hub", "--repo", REPO, "--revision", "main", "--output", "model"],
        env={**environment, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PACKAGE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not (result.stdout + result.stderr)
    assert (tmp_path / "model" / "model.safetensors").resolve().is_relative_to(home)
    load(tmp_path / "model", device="cpu")


@pytest.mark.usefixtures("offline")
def test_the_command_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out" / "model"
    assert main(["model-hub", "--repo", NOWHERE, "--revision", "main", "--output", str(output)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {NOWHERE} @ main: ")
    assert not list(output.parent.iterdir())
