"""Reading and writing of files.

Every write is atomic: a file is written beside its final path and renamed when it is complete, so that nobody reads
half of it. Every table is compared with its schema.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dkn.errors import UserError

METADATA_KEY = b"provenance"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which replaces ``path`` at the end of the block.

    Where the block raises, the temporary file is deleted and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``, which replaces ``path`` and all that is in it at the end of the block.

    Where the block raises, the temporary folder is deleted and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
    with atomic_file(path) as temporary:
        pq.write_table(_arrow(frame, schema, provenance), temporary)


class TableWriter:
    """A table that is written one row group at a time, so that memory does not grow with the number of facts."""

    def __init__(self, path: Path, schema: pa.Schema, provenance: dict[str, Any]):
        self._schema, self._provenance = schema, provenance
        schema_with_provenance = schema.with_metadata({METADATA_KEY: json.dumps(provenance, sort_keys=True)})
        self._writer = pq.ParquetWriter(path, schema_with_provenance)

    def append(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame as one row group; raise ValueError or KeyError as ``write_table`` does."""
        self._writer.write_table(_arrow(frame, self._schema, self._provenance))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *problem: object) -> None:
        self._writer.close()


def read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a table and compare it with its schema.

    Raises:
        UserError: the file is no Parquet table, or its columns are not those of the schema.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        raise UserError(f"{path}: no Parquet table here; remake it") from None
    if not table.schema.remove_metadata().equals(schema):
        raise UserError(f"{path}: not a table of the expected columns ({', '.join(schema.names)}); remake it")
    return table.to_pandas()


def read_row_groups(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a table's row groups one after the other, so that memory does not grow with their number."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number).to_pandas()


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

    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(clean(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    return json.loads(path.read_text())
