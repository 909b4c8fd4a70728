"""Parts of stored tables: what they hold, and how much is in memory at a time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from dkn.errors import UserError
from dkn.storage import files, parts
from dkn.storage.files import TableWriter, read_table, write_table
from dkn.storage.parts import ReadOnDemand, read_distinct, read_facts, whole_facts
from dkn.storage.schemas import DISTANCES, KNOWLEDGE_NEURONS

FACTS, PAIRS, GROUP = 30, 7, 10  # facts, rows of each, rows of a row group: most groups begin within a fact


def distances() -> pd.DataFrame:
    number = pd.RangeIndex(FACTS * PAIRS).to_numpy()
    fact_id = pd.Series(number // PAIRS).map("f{:03d}".format)
    frame = pd.DataFrame({"fact_id": fact_id, "first": 0, "second": 1 + number % PAIRS, "distance": number / 8})
    return frame.astype({"first": "int32", "second": "int32", "distance": "float32"})


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path, frame = tmp_path / "distances.parquet", distances()
    with TableWriter(path, DISTANCES, {"stage": "distances"}) as writer:
        for start in range(0, len(frame), GROUP):
            writer.append(frame.iloc[start : start + GROUP])
    return path


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of rows that were read at once."""
    rows: list[int] = []
    whole = files._whole

    def counted(path: Path, table: pa.Table) -> pa.Table:
        rows.append(len(table))
        return whole(path, table)

    monkeypatch.setattr(files, "_whole", counted)
    return rows


def test_distinct_rows_are_those_of_the_whole_table(stored: Path, at_once: list[int]) -> None:
    for columns in (["fact_id"], ["fact_id", "first"], ["first"]):
        expected = distances()[columns].drop_duplicates(ignore_index=True)
        pd.testing.assert_frame_equal(read_distinct(stored, DISTANCES, columns), expected)
    assert max(at_once) == GROUP


def test_rows_of_some_facts_are_those_of_the_whole_table(stored: Path, at_once: list[int]) -> None:
    found, frame = read_facts(stored, DISTANCES, {"f003", "f020", "none"}), distances()
    expected = frame[frame["fact_id"].isin(["f003", "f020"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    assert read_facts(stored, DISTANCES, ["none"], ["fact_id", "first"]).empty
    assert max(at_once) == GROUP


@pytest.mark.parametrize("rows", [1, PAIRS, 25, 1000])
def test_parts_hold_whole_facts_and_all_rows(stored: Path, rows: int) -> None:
    found = list(whole_facts(stored, DISTANCES, rows))
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), distances())
    assert all((part.groupby("fact_id").size() == PAIRS).all() for part in found)
    assert max(map(len, found)) <= rows + GROUP + PAIRS
    assert (len(found) == 1) == (rows > FACTS * PAIRS)


def test_a_fact_longer_than_a_part_stays_whole(stored: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    frame = distances().assign(fact_id="f")
    write_table(path, frame, DISTANCES, {})
    [part] = whole_facts(path, DISTANCES, 5)
    pd.testing.assert_frame_equal(part, frame)


def test_an_empty_table_has_one_empty_part(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    write_table(path, distances().iloc[:0], DISTANCES, {})
    [part] = whole_facts(path, DISTANCES)
    assert list(part.columns) == DISTANCES.names
    assert len(part) == len(read_distinct(path, DISTANCES, ["fact_id"])) == len(read_facts(path, DISTANCES, ["x"])) == 0


@pytest.mark.parametrize(
    "read",
    [
        lambda path, schema: read_distinct(path, schema, ["fact_id"]),
        lambda path, schema: read_facts(path, schema, ["f001"]),
        lambda path, schema: list(whole_facts(path, schema)),
        lambda path, schema: ReadOnDemand({"ntc": path}, schema)["ntc"],
    ],
)
def test_another_or_a_damaged_table_is_one_line(stored: Path, read: object) -> None:
    with pytest.raises(UserError, match="not a table of the expected columns"):
        read(stored, KNOWLEDGE_NEURONS)  # type: ignore[operator]
    content = bytearray(stored.read_bytes())
    content[60:400] = bytes(340)
    stored.write_bytes(content)
    with pytest.raises(UserError, match=f"{stored}: no whole Parquet table here"):
        read(stored, DISTANCES)  # type: ignore[operator]


def test_tables_are_read_when_they_are_asked_for(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(parts, "read_table", lambda path, *rest: asked.append(path) or read_table(path, *rest))
    tables = ReadOnDemand({"one": stored, "other": stored.with_name("missing")}, DISTANCES, ["fact_id"])
    assert (list(tables), len(tables), asked) == (["one", "other"], 2, [])
    assert list(tables["one"].columns) == ["fact_id"]
    assert asked == [stored]
