"""A shard of attributions as a command: what it stores, what it keeps when it is cut short, what it refuses."""

from __future__ import annotations

import functools
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

from dkn.commands import attribution as stage
from dkn.errors import UserError
from dkn.models.sources import finish
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import COMPLETENESS, FACTS, KNOWN, SCORES
from tests.integration.stage_runs import attribute


def test_only_scores_above_the_floor_are_stored_a_row_group_per_fact(study: Path) -> None:
    assert attribute(study, "whole.parquet") == 0
    scores = read_table(study / "whole.parquet", SCORES)
    largest = scores.groupby("fact_id")["score"].transform("max")
    assert (scores["score"] > 0.05 * largest * 0.999).all()
    assert pq.ParquetFile(study / "whole.parquet").num_row_groups == scores["fact_id"].nunique()
    assert not list(study.glob(".whole.parquet.parts"))


def count_calls(monkeypatch: pytest.MonkeyPatch, failing: int | None = None) -> list[int]:
    """Count the batches attributed; the call with number ``failing`` ends the stage."""
    calls: list[int] = []
    original: Callable = stage.attribute.__wrapped__ if hasattr(stage.attribute, "__wrapped__") else stage.attribute

    @functools.wraps(original)
    def counting(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == failing:
            raise UserError("stopped here")
        return original(*arguments)

    monkeypatch.setattr(stage, "attribute", counting)
    return calls


def test_a_shard_cut_short_keeps_what_it_has_finished(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third batch fails; the next run computes it and what follows, and the result is the same."""
    calls = count_calls(monkeypatch)
    assert attribute(study, "whole.parquet") == 0
    batches = len(calls)
    assert batches > 4
    count_calls(monkeypatch, failing=3)
    assert attribute(study, "cut.parquet") == 1
    assert not (study / "cut.parquet").exists()
    calls = count_calls(monkeypatch)
    assert attribute(study, "cut.parquet") == 0
    assert len(calls) == batches - 2
    for name, schema in (("parquet", SCORES), ("parquet.completeness", COMPLETENESS)):
        cut, whole = (read_table(study / f"{run}.{name}", schema) for run in ("cut", "whole"))
        pd.testing.assert_frame_equal(cut, whole)


def test_other_settings_do_not_use_the_parts_of_a_cut_run(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    assert attribute(study, "whole.parquet") == 0
    batches = len(calls)
    count_calls(monkeypatch, failing=3)
    assert attribute(study, "other.parquet") == 1
    calls = count_calls(monkeypatch)
    assert attribute(study, "other.parquet", baseline="zero") == 0
    assert len(calls) == batches


def renamed(study: Path, folder: Path) -> Path:
    """The same facts and model as another study would have them: other places, and another past of the model."""
    shutil.copytree(study / "model", folder / "elsewhere")
    finish(folder / "elsewhere", "model-folder", {})
    for name in ("facts.parquet", "known.parquet"):
        shutil.copy(study / name, folder / name)
    return folder


def test_another_study_takes_what_is_in_the_cache(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It computes nothing, and writes what it would have computed, provenance included, byte by byte."""
    other = renamed(study, tmp_path)
    assert attribute(other, "computed.parquet", model=other / "elsewhere") == 0
    assert attribute(study, "kept.parquet", cache=tmp_path / "cache") == 0
    calls = count_calls(monkeypatch)
    capsys.readouterr()
    assert attribute(other, "taken.parquet", model=other / "elsewhere", cache=tmp_path / "cache") == 0
    assert not calls
    assert "facts taken from the cache" in capsys.readouterr().out
    for end in ("", ".completeness"):
        taken, computed = (other / f"{name}.parquet{end}" for name in ("taken", "computed"))
        assert taken.read_bytes() == computed.read_bytes()
        inputs = json.loads(pq.read_schema(taken).metadata[b"provenance"])["inputs"]
        assert "elsewhere" in inputs
    assert not list(tmp_path.glob(".*.parts"))


def test_the_cache_may_be_named_by_the_environment(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DKN_CACHE", "")
    assert attribute(study, "none.parquet") == 0
    monkeypatch.setenv("DKN_CACHE", str(tmp_path / "cache"))
    assert attribute(study, "first.parquet") == 0
    calls = count_calls(monkeypatch)
    assert attribute(study, "second.parquet") == 0
    assert not calls


def other_weights(folder: Path) -> dict[str, object]:
    weights = load_file(folder / "elsewhere" / "model.safetensors")
    weights["model.norm.weight"][3] *= 1.001
    save_file(weights, folder / "elsewhere" / "model.safetensors", {"format": "pt"})
    finish(folder / "elsewhere", "model-folder", {})
    return {}


def other_answer(folder: Path) -> dict[str, object]:
    table = read_table(folder / "known.parquet", KNOWN)
    table.loc[2, "answer"] += " City"
    write_table(folder / "known.parquet", table, KNOWN, {})
    return {}


def other_prompt(folder: Path) -> dict[str, object]:
    table = read_table(folder / "facts.parquet", FACTS)
    table.loc[2, "prompt"] = "Indeed " + table.loc[2, "prompt"]
    write_table(folder / "facts.parquet", table, FACTS, {})
    return {}


CHANGES: dict[str, Callable[[Path], dict[str, object]]] = {
    "weights": other_weights,
    "answer": other_answer,
    "prompt": other_prompt,
    "settings": lambda _: {"tolerance": 2e-3},
    "floor": lambda _: {"floor": 0.1},
    "shards": lambda _: {"shard": "1-of-2"},
    "type of numbers": lambda _: {"dtype": "bfloat16"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_anything_that_counts_is_computed(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """And what is computed then is kept too: the first study finds its own entry, the changed one its own."""
    other = renamed(study, tmp_path)
    flags = {"model": other / "elsewhere", "cache": tmp_path / "cache", "batch": 16}
    assert attribute(study, "kept.parquet", cache=flags["cache"], batch=16) == 0
    changes = CHANGES[change](other)
    calls = count_calls(monkeypatch)
    assert attribute(other, "changed.parquet", **{**flags, **changes}) == 0
    assert calls
    calls.clear()
    assert attribute(other, "changed.parquet", **{**flags, **changes}) == 0
    assert attribute(study, "kept.parquet", cache=flags["cache"], batch=16) == 0
    assert not calls


def test_scores_that_are_not_finite_name_the_fact(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = stage.open_model

    def broken(*arguments: object, **settings: object) -> object:
        model = original(*arguments, **settings)
        model.adapter.writing(1)[3] = float("nan")
        return model

    monkeypatch.setattr(stage, "open_model", broken)
    assert attribute(study, "broken.parquet") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: fact ")
    assert "not finite" in error


def test_memory_does_not_grow_with_the_number_of_facts(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a batch begins, the dense scores of the batch before the last are gone."""
    original: Callable = stage.attribute
    dense: list[weakref.ref] = []
    alive: list[int] = []

    def watched(*arguments: object) -> list:
        alive.append(sum(reference() is not None for reference in dense))
        results = original(*arguments)
        dense.extend(weakref.ref(result.scores) for result in results)
        return results

    monkeypatch.setattr(stage, "attribute", watched)
    assert attribute(study, "again.parquet", batch=2) == 0
    assert len(dense) > 10
    assert max(alive) <= 2
