"""Atomic writes, tables held to their schemas, and JSON."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dkn.errors import UserError
from dkn.storage.files import (
    METADATA_KEY,
    TableWriter,
    atomic_file,
    atomic_folder,
    read_json,
    read_table,
    write_json,
    write_table,
)

SCHEMA = pa.schema(
    [
        pa.field("fact_id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=True),
        pa.field("places", pa.list_(pa.int32()), nullable=False),
    ]
)
PROVENANCE: dict[str, Any] = {"stage": "test", "inputs": {"b": "2", "a": "1"}}


def frame(**columns: list[Any]) -> pd.DataFrame:
    """Three rows that fit the schema, with some columns replaced."""
    return pd.DataFrame({"fact_id": ["a", "b", "c"], "score": [0.5, None, 1.0], "places": [[1], [], [2, 3]], **columns})


def names(folder: Path) -> list[str]:
    """What a folder holds, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def fail_within(block: AbstractContextManager[Path], problem: type[BaseException]) -> None:
    """Write half of a file, or of a folder, and raise."""
    with block as path:
        (path / "half" if path.is_dir() else path).write_text("half")
        raise problem


# --- atomic writes ------------------------------------------------------------------------------------------


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "table.txt"
    with atomic_file(target) as path:
        assert path.parent == target.parent  # so that the last step is a rename
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(target.parent) == ["table.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", ["old", None], ids=["replacing", "new"])
def test_a_failed_file_leaves_nothing_behind(old: str | None, problem: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    if old:
        target.write_text(old)
    with pytest.raises(problem):
        fail_within(atomic_file(target), problem)
    assert names(tmp_path) == (["table.txt"] if old else [])
    assert not old or target.read_text() == old


def test_a_folder_replaces_an_older_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    for name in ("first", "second"):
        with atomic_folder(target) as folder:
            (folder / name).write_text(name)
            assert not (target / name).exists()
        assert names(target) == [name]
    assert names(target.parent) == ["model"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [True, False], ids=["replacing", "new"])
def test_a_failed_folder_leaves_nothing_behind(old: bool, problem: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "model"
    if old:
        target.mkdir()
        (target / "old").write_text("old")
    with pytest.raises(problem):
        fail_within(atomic_folder(target), problem)
    assert names(tmp_path) == (["model"] if old else [])
    assert not old or names(target) == ["old"]


# --- tables -------------------------------------------------------------------------------------------------


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, frame(), SCHEMA, PROVENANCE)
    table = read_table(path, SCHEMA)
    assert table["fact_id"].tolist() == ["a", "b", "c"]
    assert table["score"].isna().tolist() == [False, True, False]
    assert [list(places) for places in table["places"]] == [[1], [], [2, 3]]
    assert names(tmp_path) == ["table.parquet"]


def test_an_empty_table_keeps_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, pd.DataFrame(columns=SCHEMA.names), SCHEMA, PROVENANCE)
    assert read_table(path, SCHEMA).columns.tolist() == SCHEMA.names


def test_columns_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, frame()[["places", "score", "fact_id"]], SCHEMA, PROVENANCE)
    assert pq.read_schema(path).names == SCHEMA.names


def test_provenance_sits_in_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, frame(), SCHEMA, PROVENANCE)
    assert json.loads(pq.read_schema(path).metadata[METADATA_KEY]) == PROVENANCE
    assert METADATA_KEY == b"provenance"


def test_equal_tables_are_equal_files(tmp_path: Path) -> None:
    paths = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    write_table(paths[0], frame(), SCHEMA, PROVENANCE)
    write_table(paths[1], frame(), SCHEMA, dict(reversed(PROVENANCE.items())))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("bad", "problem", "named"),
    [
        (frame().drop(columns="score"), KeyError, "score"),
        (frame(fact_id=["a", None, "c"]), ValueError, "fact_id"),
        (frame(places=[[1], None, [2]]), ValueError, "places"),
        (frame(score=["high", "low", "none"]), pa.ArrowException, "score"),
    ],
    ids=["missing column", "null text", "null list", "wrong type"],
)
def test_a_table_that_does_not_fit_is_refused(
    bad: pd.DataFrame, problem: type[Exception], named: str, tmp_path: Path
) -> None:
    with pytest.raises(problem, match=named):
        write_table(tmp_path / "table.parquet", bad, SCHEMA, PROVENANCE)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "other",
    [
        SCHEMA.remove(1),
        SCHEMA.append(pa.field("more", pa.int32())),
        SCHEMA.set(1, pa.field("score", pa.float32())),
        SCHEMA.set(1, pa.field("score", pa.float64(), nullable=False)),
        pa.schema([SCHEMA.field(1), SCHEMA.field(0), SCHEMA.field(2)]),
    ],
    ids=["fewer columns", "more columns", "other type", "never null", "other order"],
)
def test_reading_another_schema_is_one_line(other: pa.Schema, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, frame(), SCHEMA, PROVENANCE)
    with pytest.raises(UserError) as caught:
        read_table(path, other)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert ", ".join(other.names) in message


@pytest.mark.parametrize("content", [b"", b"fact_id,score\n", None], ids=["empty", "CSV", "absent"])
def test_reading_what_is_no_table_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(path, SCHEMA)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folders_name_adds_no_column(tmp_path: Path) -> None:
    """Parquet readers take ``key=value`` folders for columns."""
    path = tmp_path / "run=3" / "table.parquet"
    write_table(path, frame(), SCHEMA, PROVENANCE)
    assert read_table(path, SCHEMA).columns.tolist() == SCHEMA.names


def test_the_writer_makes_one_row_group_per_append(tmp_path: Path) -> None:
    paths = tmp_path / "parts.parquet", tmp_path / "whole.parquet"
    with TableWriter(paths[0], SCHEMA, PROVENANCE) as writer:
        for row in range(3):
            writer.append(frame().iloc[row : row + 1])
    write_table(paths[1], frame(), SCHEMA, PROVENANCE)
    metadata = pq.read_metadata(paths[0])
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [1, 1, 1]
    assert json.loads(pq.read_schema(paths[0]).metadata[METADATA_KEY]) == PROVENANCE
    pd.testing.assert_frame_equal(*(read_table(path, SCHEMA) for path in paths))


def test_a_writer_without_rows_still_writes_the_schema(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "table.parquet", SCHEMA, PROVENANCE):
        pass
    assert read_table(tmp_path / "table.parquet", SCHEMA).empty


def test_the_writer_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "table.parquet", SCHEMA, PROVENANCE) as writer:
        writer.append(frame())
        with pytest.raises(ValueError, match="fact_id"):
            writer.append(frame(fact_id=["a", None, "c"]))
    assert len(read_table(tmp_path / "table.parquet", SCHEMA)) == 3


# --- JSON ---------------------------------------------------------------------------------------------------


def test_json_writes_nan_as_null_and_keeps_the_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "summary.json"
    content = {"z": float("nan"), "a": [1.5, float("nan"), (np.float64("nan"), 2)], "é": {3: {"x": float("nan")}}}
    write_json(path, content)
    assert read_json(path) == {"z": None, "a": [1.5, None, [None, 2]], "é": {"3": {"x": None}}}
    assert list(read_json(path)) == ["z", "a", "é"]
    assert "é" in path.read_text()
    assert path.read_text().endswith("}\n")
    assert names(path.parent) == ["summary.json"]


def test_json_is_stable(tmp_path: Path) -> None:
    content = {"b": 0.1 + 0.2, "a": [float("nan"), 1]}
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path in paths:
        write_json(path, content)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    write_json(paths[1], read_json(paths[0]))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("value", [float("inf"), object()], ids=["infinity", "an object"])
def test_json_refuses_what_json_cannot_hold_and_keeps_the_old_file(value: object, tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"new": value})
    assert read_json(path) == {"old": 1}
    assert names(tmp_path) == ["summary.json"]
