"""The stage that sets numbers against model size: models that differ in their seed alone are one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dkn.commands.model_size import main as set_against_size
from dkn.paper.seeds import combined
from dkn.storage.files import read_json, write_json
from tests.unit.seed_rows import models, summaries, write_models

NAME = "nano, over seeds"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three seeds of one size, and one model each of two larger sizes."""
    seeds = models([0.1, 0.12, 0.14])
    every = {**seeds, "middle": summaries(0.3), "large": summaries(0.5)}
    write_models(tmp_path, every)
    for at, name in enumerate(every):
        (tmp_path / name / "model").mkdir()
        size = 10 if name in seeds else 10 * at
        save_file({"weights": np.zeros(size, np.float32)}, tmp_path / name / "model" / "model.safetensors")
    write_json(tmp_path / "seeds.json", {"entries": {NAME: list(seeds)}, "rows": combined("nano", seeds, 0.95, 10)})
    return tmp_path


def compared(study: Path, names: list[str], seeds: Path | None) -> dict:
    """complexity.json of some models."""
    set_against_size([study / name for name in names], ["degeneracy-ntc"], study / "complexity.json", seeds)
    return read_json(study / "complexity.json")


def test_seeds_of_one_size_are_one_point(study: Path) -> None:
    names = ["nano", "nano-s1", "nano-s2", "middle", "large"]
    content = compared(study, names, study / "seeds.json")
    rows = [row for row in content["rows"] if row["metric"] == "degeneracy"]
    assert [(row["model"], row["mean"]) for row in rows] == [
        (NAME, pytest.approx(0.12)),
        ("middle", 0.3),
        ("large", 0.5),
    ]
    assert content["note"] is None
    assert rows[0]["se"] > 0


def test_seeds_of_one_size_are_no_further_sizes(study: Path) -> None:
    content = compared(study, ["nano", "nano-s1", "nano-s2", "middle"], study / "seeds.json")
    assert content["note"] == "2 models: no trend is claimed from fewer than 3 sizes"
    assert {row["model"] for row in compared(study, ["middle"], None)["rows"]} == {"middle"}
