"""The stage that combines the models of an entry: which models belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.commands.seeds import main as combine_seeds
from dkn.errors import UserError
from dkn.storage.files import read_json
from tests.unit.seed_rows import summaries, write_models

MODELS = {"nano": summaries(0.0), "nano-s1": summaries(0.1), "other": summaries(0.2)}


def test_the_models_of_an_entry_are_combined_and_no_others(tmp_path: Path) -> None:
    experiments = write_models(tmp_path, MODELS)
    folders = [tmp_path / name for name in MODELS]
    combine_seeds(folders, ["nano", "nano", "other"], experiments, 0.95, 10, tmp_path / "seeds.json")
    content = read_json(tmp_path / "seeds.json")
    assert content["entries"] == {"nano, over seeds": ["nano", "nano-s1"]}
    assert {row["entry"] for row in content["rows"]} == {"nano"}
    assert all(row["value"] == pytest.approx(0.05) for row in content["rows"])
    assert not [name for name in content["provenance"]["inputs"] if "other" in name]


def test_entries_of_one_model_leave_nothing_to_combine(tmp_path: Path) -> None:
    experiments = write_models(tmp_path, MODELS)
    folders = [tmp_path / name for name in MODELS]
    combine_seeds(folders, ["a", "b", "c"], experiments, 0.95, 10, tmp_path / "seeds.json")
    content = read_json(tmp_path / "seeds.json")
    assert (content["entries"], content["rows"]) == ({}, [])


def test_a_model_without_an_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--model is given 3 times, --entry 1 times"):
        combine_seeds([tmp_path] * 3, ["nano"], [], 0.95, 10, tmp_path / "seeds.json")
