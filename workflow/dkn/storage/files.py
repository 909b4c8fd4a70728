"""Reading and writing of tables and of JSON.

Every write is atomic (``dkn.storage.writing``). Every table is compared with its schema, and every file with what it
says of itself (``dkn.storage.artefacts``): one that is damaged, or not what its name says, is an error of one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dkn.errors import UserError
from dkn.storage.artefacts import CONTENT, content_checksum, remake, require_own, require_shape, with_place
from dkn.storage.writing import atomic_file as atomic_file
from dkn.storage.writing import atomic_folder as atomic_folder

METADATA_KEY = b"provenance"


def _arrow(frame: pd.DataFrame, schema: pa.Schema, provenance: dict[str, Any]) -> pa.Table:
    """Convert a frame, with its provenance as metadata; raise ValueError unless its columns are those of the schema."""
    if unknown := set(frame.columns) - set(schema.names):
        raise ValueError(f"columns without a place in the schema: {', '.join(sorted(unknown))}")
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"column {field.name} has missing values")
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(provenance, sort_keys=True)})


def write_table(path: Path, frame: pd.DataFrame, schema: pa.Schema, provenance: dict[str, Any]) -> None:
    """Write a frame as a Parquet file, with its provenance in the file's metadata.

    Raises:
        ValueError: the frame has a column that the schema lacks, or values are missing where the schema allows none.
        KeyError: the frame lacks a column of the schema.
    """
    table = _arrow(frame, schema, with_place(provenance, path))
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


class TableWriter:
    """A table that is written one row group at a time, so that memory does not grow with the number of facts.

    Args:
        path: the file to write, which is a temporary one of ``target``.
        schema: the table's schema.
        provenance: what the file's metadata state.
        target: the path that the file will have; ``path`` where not given.
    """

    def __init__(self, path: Path, schema: pa.Schema, provenance: dict[str, Any], target: Path | None = None):
        self._schema, self._provenance = schema, with_place(provenance, target or path)
        schema_with_provenance = schema.with_metadata({METADATA_KEY: json.dumps(self._provenance, sort_keys=True)})
        self._writer = pq.ParquetWriter(path, schema_with_provenance, write_page_checksum=True)

    def append(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame as one row group; raise ValueError or KeyError as ``write_table`` does."""
        self._writer.write_table(_arrow(frame, self._schema, self._provenance))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *problem: object) -> None:
        self._writer.close()


def _open(path: Path) -> pq.ParquetFile:
    """Open a table whose pages are compared with their checksums as they are read.

    No thread takes part: where none can be started, pyarrow would wait for one for ever.
    """
    return pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)


def _record_of(schema: pa.Schema) -> dict[str, Any]:
    """Return the provenance in a table's metadata; raise ValueError where it is no JSON object."""
    record = _parse((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    if not isinstance(record, dict):
        raise ValueError("provenance is no object")
    return record


def _has_nulls(table: pa.Table) -> str | None:
    """Return the first column that has missing values, or lists with missing values, where the schema allows none."""
    for field in table.schema:
        column = table[field.name]
        if not field.nullable and column.null_count:
            return str(field.name)
        if pa.types.is_list(field.type) and any(chunk.flatten().null_count for chunk in column.chunks):
            return str(field.name)
    return None


@contextmanager
def open_table(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    """Open a table that is compared with its schema; it is compared with what it says of itself when it closes.

    Raises:
        UserError: as ``read_table`` raises it, what the caller reads included.
    """
    _require_file(path)
    try:
        with _open(path) as file:
            found = file.schema_arrow
            record = _record_of(found)
            if not found.remove_metadata().equals(schema):
                stage = f"a table of stage {record['stage']}, " if record.get("stage") else ""
                columns = ", ".join(schema.names)
                raise UserError(f"{path}: {stage}not a table of the expected columns ({columns}); {remake(path)}")
            yield file
    except (MemoryError, UserError):
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: no whole Parquet table here ({_in_short(error)}); {remake(path)}") from None
    require_own(path, record)


def _whole(path: Path, table: pa.Table) -> pa.Table:
    """Return what was read of a table; raise where its texts are none, or values are missing."""
    table.validate(full=True)
    if name := _has_nulls(table):
        raise UserError(f"{path}: column {name} has missing values; {remake(path)}")
    return table


def read_table(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table and compare it with its schema and with what it says of itself.

    Args:
        path: the file.
        schema: the schema of the whole table.
        columns: the columns to read; None reads all.
    Raises:
        UserError: the file is no whole Parquet table, its columns are not those of the schema, values are missing, or
            ``dkn.storage.artefacts.require_own`` refuses it.
    """
    with open_table(path, schema) as file:
        table = _whole(path, file.read(columns=columns, use_threads=False))
    return table.to_pandas(use_threads=False)


def row_groups(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield a table's row groups, compared as ``read_table`` does; memory does not grow with their number."""
    with open_table(path, schema) as file:
        for number in range(file.num_row_groups):
            yield _whole(path, file.read_row_group(number, columns=columns, use_threads=False))


def read_row_groups(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a table's row groups one after the other, so that memory does not grow with their number."""
    with _open(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, use_threads=False).to_pandas(use_threads=False)


def _require_file(path: Path) -> None:
    """Raise unless there is a file that can be read."""
    if not path.exists():
        raise UserError(f"{path}: no such file; {remake(path)}")
    if not path.is_file():
        raise UserError(f"{path}: no file; {remake(path)}")


def _in_short(error: Exception) -> str:
    """Return the first words of another library's message on one line."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object with its keys in the given order; NaN is written as null."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): clean(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(entry) for entry in value]
        if isinstance(value, float) and value != value:
            return None
        return value

    cleaned = clean(content)
    if isinstance(record := cleaned.get("provenance"), dict):
        cleaned["provenance"] = {**with_place(record, path), CONTENT: content_checksum(cleaned)}
    with atomic_file(path) as temporary:
        text = json.dumps(cleaned, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        temporary.write_text(text, encoding="utf-8")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raise ValueError where it names an entry twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("an entry stands there twice")
    return content


def _parse(text: bytes) -> Any:
    """Parse JSON strictly; raise ValueError where it is none, or where it nests too deeply."""
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object and compare it with what its name and its provenance say.

    Raises:
        UserError: the file is not one JSON object in UTF-8, it was edited after it was made, or
            ``dkn.storage.artefacts`` refuses it.
    """
    _require_file(path)
    try:
        content = _parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no JSON as a study stores it ({_in_short(error)}); {remake(path)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: no JSON object; {remake(path)}")
    require_shape(path, content)
    record = content.get("provenance")
    if isinstance(record, dict):
        if record.get(CONTENT, content_checksum(content)) != content_checksum(content):
            raise UserError(f"{path}: was changed after it was made (its checksum is another one); {remake(path)}")
        require_own(path, record)
    return content
