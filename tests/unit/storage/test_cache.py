"""The cache: what its keys hold, and that entries are whole, unspoilt, or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dkn.storage import provenance as provenance_module
from dkn.storage.cache import Entry, content_of
from dkn.storage.provenance import provenance

CONTENT = {"stage": "attribution", "facts": "a"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two files to keep."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.parquet").write_text(f"table {name}")
    return {"scores": tmp_path / "one.parquet", "completeness": tmp_path / "two.parquet"}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "cache"


def test_what_is_kept_is_found_by_equal_content_alone(cache: Path, files: dict[str, Path]) -> None:
    assert Entry(cache, CONTENT).find(*files) is None
    Entry(cache, CONTENT).keep(files)
    found = Entry(cache, {"facts": "a", "stage": "attribution"}).find(*files)
    assert found is not None
    assert [path.read_text() for path in found] == ["table one", "table two"]
    assert Entry(cache, {**CONTENT, "facts": "b"}).find(*files) is None
    assert all(path.read_text() for path in files.values())  # copied, not moved


def test_an_entry_says_what_made_it(cache: Path, files: dict[str, Path]) -> None:
    Entry(cache, CONTENT).keep(files)
    (stated,) = cache.glob("attribution/*/content.json")
    assert json.loads(stated.read_text())["content"] == CONTENT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "scores").write_text("table 0ne"),
        lambda folder: (folder / "completeness").unlink(),
        lambda folder: (folder / "content.json").write_text("{"),
        lambda folder: (folder / "content.json").write_text("{}"),
    ],
    ids=["changed", "missing", "cut short", "empty"],
)
def test_a_spoilt_entry_is_none_and_is_replaced(
    cache: Path, files: dict[str, Path], spoil: Callable[[Path], object]
) -> None:
    entry = Entry(cache, CONTENT)
    entry.keep(files)
    spoil(entry.folder)
    assert entry.find(*files) is None
    entry.keep(files)
    found = entry.find(*files)
    assert found is not None
    assert [path.read_text() for path in found] == ["table one", "table two"]
    assert list(entry.folder.parent.iterdir()) == [entry.folder]


def test_the_first_of_two_studies_is_kept(cache: Path, files: dict[str, Path]) -> None:
    entry = Entry(cache, CONTENT)
    entry.keep(files)
    before = (entry.folder / "scores").stat().st_ino
    entry.keep(files)
    assert (entry.folder / "scores").stat().st_ino == before


def test_studies_that_write_at_once_leave_one_whole_entry(cache: Path, files: dict[str, Path]) -> None:
    """Whoever looks meanwhile sees nothing or all of it."""
    entry = Entry(cache, CONTENT)

    def write_and_look(_number: int) -> list[str]:
        Entry(cache, CONTENT).keep(files)
        found = Entry(cache, CONTENT).find(*files)
        assert found is not None
        return [path.read_text() for path in found]

    with ThreadPoolExecutor(8) as pool:
        assert all(texts == ["table one", "table two"] for texts in pool.map(write_and_look, range(40)))
    assert list(entry.folder.parent.iterdir()) == [entry.folder]


def test_a_writer_that_is_cut_short_leaves_no_entry(
    cache: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dkn.storage.cache.write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        Entry(cache, CONTENT).keep(files)
    assert Entry(cache, CONTENT).find(*files) is None
    assert not Entry(cache, CONTENT).folder.exists()


def test_a_cache_that_takes_nothing_costs_a_warning(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    entry = Entry(tmp_path / "file", CONTENT)
    assert entry.find(*files) is None
    entry.keep(files)
    assert capsys.readouterr().out.startswith("warning: nothing kept in the cache: ")


def content(folder: Path, **changes: Any) -> dict[str, Any]:
    """What a made-up study's key holds."""
    settings = changes.get("settings", {"nodes": 3, "shard": "1-of-2"})
    facts = pd.DataFrame(
        {"fact_id": ["f", "g"], "prompt": ["A is", "B is"], "answer": ["x", "y"], "prob": changes.get("prob", 0.5)}
    )
    (folder / "known.parquet").write_text(changes.get("known", "known"))
    for name in ("config.json", "model.safetensors", "provenance.json"):
        (folder / "model").mkdir(exist_ok=True)
        (folder / "model" / name).write_text(changes.get(name, "same"))
    record = provenance("attribution", settings, [folder / "model", folder / "known.parquet"])
    rows = facts.iloc[:: changes.get("order", 1)]
    return content_of(record, folder / "model", rows, changes.get("device", "cpu"))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"provenance.json": "trained elsewhere"}, True),
        ({"known": "the same rows, by other code"}, True),
        ({"prob": 0.25}, True),
        ({"config.json": "other"}, False),
        ({"model.safetensors": "other"}, False),
        ({"tokenizer.json": "one more"}, False),
        ({"settings": {"nodes": 5, "shard": "1-of-2"}}, False),
        ({"settings": {"nodes": 3, "shard": "1-of-4"}}, False),
        ({"order": -1}, False),
        ({"device": "cuda"}, False),
    ],
    ids=str,
)
def test_content_counts_and_names_do_not(tmp_path: Path, change: dict[str, Any], same: bool) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    if "tokenizer.json" in change:
        (tmp_path / "there" / "model").mkdir()
        (tmp_path / "there" / "model" / "tokenizer.json").write_text("one more")
    one, other = content(tmp_path / "here"), content(tmp_path / "there", **change)
    assert (one == other) == same


@pytest.mark.parametrize(
    ("module", "same"),
    [("attribution/quadrature.py", False), ("commands/attribution.py", False), ("structure/ntc.py", True)],
)
def test_code_counts_where_the_stage_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, same: bool
) -> None:
    before = content(tmp_path)
    real = Path.read_bytes
    edited = provenance_module.PACKAGE / module

    def read(path: Path) -> bytes:
        return real(path) + (b"# edited" if os.fspath(path) == os.fspath(edited) else b"")

    monkeypatch.setattr(Path, "read_bytes", read)
    assert (content(tmp_path) == before) == same


def test_versions_of_packages_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(tmp_path)
    monkeypatch.setattr(provenance_module.metadata, "version", lambda name: "0.0")
    assert content(tmp_path) != before
