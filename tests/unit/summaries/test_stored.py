"""Summaries on disk: written with their provenance, read again by model and experiment, and searched for rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dkn.errors import UserError
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_json
from dkn.summaries.stored import (
    compared_by_model,
    matching,
    only_match,
    read_summaries,
    stored_by_model,
    stored_summaries,
    summary_files,
    write_summary,
)

SETTINGS = StatisticsSettings(resamples=100, confidence=0.9, seed=3)
EXPERIMENTS = ("suppression-values", "degeneracy-ntc")


def keep(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Write JSON, and give it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return content


def made(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model's summaries by experiment, and the comparison of its groupings."""
    summaries = {
        name: keep(folder / "experiments" / name / "summary.json", {"model": folder.name, "experiment": name})
        for name in (*EXPERIMENTS, "overlap-fine-tuning")
    }
    compared = {"degeneracy": {"contrasts": [folder.name]}, "functional_test": {}}
    comparison = {"model": folder.name, "groupings": [], **compared}
    return summaries, keep(folder / "experiments" / "degeneracy" / "comparison.json", comparison)


def test_a_summary_is_written_with_what_made_it(tmp_path: Path) -> None:
    records = tmp_path / "records.parquet"
    records.write_text("records")
    path = tmp_path / "experiments" / "summary.json"
    write_summary(path, {"estimates": [{"mean": float("nan")}]}, "summary-perturbation", SETTINGS, [records])
    found = read_json(path)
    assert list(found) == ["estimates", "provenance"]
    assert found["estimates"] == [{"mean": None}]
    assert found["provenance"]["stage"] == "summary-perturbation"
    assert found["provenance"]["settings"] == {"resamples": 100, "confidence": 0.9, "seed": 3}
    assert list(found["provenance"]["inputs"]) == ["records.parquet"]


def test_summaries_come_back_by_model_and_experiment(tmp_path: Path) -> None:
    stored = {name: made(tmp_path / name)[0] for name in ("b", "a")}
    found = stored_by_model([tmp_path / "b", tmp_path / "a"], EXPERIMENTS)
    assert list(found) == ["b", "a"]
    for name, summaries in found.items():
        assert list(summaries) == list(EXPERIMENTS)
        assert summaries == {experiment: stored[name][experiment] for experiment in EXPERIMENTS}
        assert summaries == stored_summaries(tmp_path / name, EXPERIMENTS)


def test_the_comparison_of_groupings_stands_beside_the_summaries(tmp_path: Path) -> None:
    comparison = {name: made(tmp_path / name)[1] for name in ("a", "b")}
    folders = [tmp_path / "a", tmp_path / "b"]
    found = compared_by_model(folders, EXPERIMENTS)
    for name, summaries in found.items():
        assert summaries == read_summaries(tmp_path / name, EXPERIMENTS)
        assert summaries.pop("degeneracy") == comparison[name]["degeneracy"]
    assert found == stored_by_model(folders, EXPERIMENTS)


def test_the_files_of_a_provenance_are_those_that_are_read(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        made(folder)
    listed = summary_files(folders, EXPERIMENTS)
    assert len(set(listed)) == len(listed) == 2 * (len(EXPERIMENTS) + 1)
    for path in set(tmp_path.rglob("*.json")) - set(listed):
        path.unlink()
    compared_by_model(folders, EXPERIMENTS)  # needs no other
    for path in listed:
        text = path.read_text()
        path.unlink()
        with pytest.raises(UserError, match=rf"{path.name}: no such file"):
            compared_by_model(folders, EXPERIMENTS)
        path.write_text(text)


ROWS = [
    {"metric": "drop", "query": "add", "mean": 1},
    {"metric": "drop", "query": "original", "mean": 2},
    {"metric": "nats", "query": "add", "mean": 3},
    {"metric": "drop", "mean": 4},
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"metric": "drop"}, [1, 2, 4]),
        ({"metric": "drop", "query": "add"}, [1]),
        ({"query": "add"}, [1, 3]),
        ({"query": "delete"}, []),
        ({"site": "values"}, []),
    ],
)
def test_rows_match_that_have_all_values(where: dict[str, str], expected: list[int]) -> None:
    assert [row["mean"] for row in matching(ROWS, where)] == expected
    if len(expected) < 2:
        found = only_match(ROWS, where)
        assert [found["mean"]] == expected if found else not expected
        return
    with pytest.raises(ValueError, match=f"{len(expected)} rows match"):
        only_match(ROWS, where)


def test_two_rows_are_named_by_what_was_looked_for() -> None:
    with pytest.raises(ValueError, match=r"2 rows match \{'query': 'add'\}"):
        only_match(ROWS, {"query": "add"})
    assert only_match([], {"query": "add"}) is None
