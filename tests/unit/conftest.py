"""What tests of several packages share: saved models, a cache of the hub, a server of facts, made-up GPUs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import constants

from dkn.storage.files import write_table
from dkn.storage.schemas import DISTANCES, KNOWLEDGE_NEURONS
from tests.unit.facts_server import serving
from tests.unit.made_up_gpus import GPUS, Machine
from tests.unit.model_folders import COMMIT, REPO, lay_out_cache, save_tiny_gpt2


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 as ``save_pretrained`` leaves it, among files that must not be taken along. Read only."""
    folder = tmp_path_factory.mktemp("saved")
    save_tiny_gpt2(folder)
    return folder


@pytest.fixture
def local(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved model that a test may take apart."""
    return shutil.copytree(saved, tmp_path / "local")


@pytest.fixture
def home(saved: Path, tmp_path: Path) -> Path:
    """HF_HOME with the saved model in its cache, laid out as the hub library does."""
    lay_out_cache(tmp_path / "hf" / "hub", saved)
    return tmp_path / "hf"


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache with HF_HUB_OFFLINE=1, for this process, which has read both already."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return home / "hub" / f"models--{REPO.replace('/', '--')}" / "snapshots" / COMMIT


@pytest.fixture(scope="session")
def _facts_address() -> Iterator[str]:
    """Where the server of facts is."""
    with serving() as address:
        yield address


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine does not stand between a test and this machine's own addresses."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(_facts_address: str, no_proxy: None) -> str:
    """Address of a local web server of facts."""
    return _facts_address


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Make this a machine with some GPUs and no claims; ``visible`` is CUDA_VISIBLE_DEVICES."""

    def make(count: int, visible: str | None = None, jobs_per_gpu: int | str | None = None) -> None:
        script = tmp_path / "nvidia-smi"
        listed = "".join(f"echo {gpu}\n" for gpu in GPUS[:count])
        script.write_text(f"#!/bin/sh\n[ \"$*\" = '--query-gpu=uuid --format=csv,noheader' ] || exit 2\n{listed}")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        for name, value in (("CUDA_VISIBLE_DEVICES", visible), ("DKN_JOBS_PER_GPU", jobs_per_gpu)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, str(value))

    return make


@pytest.fixture
def stored_neurons(tmp_path: Path) -> Path:
    """A folder with the knowledge neurons and distances of two facts: one with two linked pairs and a
    lone neuron, one with a single neuron.
    """
    rows = [("x", place, place % 2, place, 1.0) for place in range(5)] + [("y", 0, 0, 0, 1.0)]
    neurons = pd.DataFrame(rows, columns=KNOWLEDGE_NEURONS.names)
    distances = pd.DataFrame([("x", 0, 1, 1.0), ("x", 2, 3, 2.0)], columns=DISTANCES.names)
    write_table(tmp_path / "neurons.parquet", neurons, KNOWLEDGE_NEURONS, {})
    write_table(tmp_path / "distances.parquet", distances, DISTANCES, {})
    return tmp_path
