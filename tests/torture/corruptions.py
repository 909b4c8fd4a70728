"""What can become of a file of results: cut, emptied, swapped, with flipped bits, other types or repeated entries."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

NOT_UTF8 = b'{"experiment": "\xff\xfe"}'
KINDS = ("truncated", "flipped", "empty", "swapped", "schema", "object", "nan", "encoding", "types", "repeated", "gone")


def _json_of_other_types(content: Any) -> Any:
    """The same JSON with every number as text."""
    if isinstance(content, dict):
        return {key: _json_of_other_types(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_json_of_other_types(value) for value in content]
    return str(content)


def _other_types(path: Path) -> bytes:
    """The file's content with values of other types, as if something else had written it."""
    if path.suffix == ".json":
        return json.dumps(_json_of_other_types(json.loads(path.read_text()))).encode()
    sink = io.BytesIO()
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, table.schema.field(0).name, pa.array(range(len(table)))), sink)
    return sink.getvalue()


def _repeated(path: Path) -> bytes:
    """An entry, or a column, that stands there twice."""
    if path.suffix == ".json":
        return b'{"model": "one", ' + path.read_bytes().lstrip().removeprefix(b"{")
    sink = io.BytesIO()
    table = pq.read_table(path)
    pq.write_table(table.append_column(table.schema.field(0), table.column(0)), sink)
    return sink.getvalue()


def _nan(path: Path) -> bytes:
    """A number of JSON that is none, or missing values where a table has none."""
    if path.suffix == ".json":
        return path.read_bytes().replace(b": ", b": NaN, ", 1)
    sink = io.BytesIO()
    table = pq.read_table(path)
    first = table.schema.field(0).with_nullable(True)
    pq.write_table(table.set_column(0, first, pa.nulls(len(table), first.type)), sink)
    return sink.getvalue()


def _flipped(path: Path, draw: np.random.Generator) -> bytes:
    """The file's content with eight bits flipped."""
    content = bytearray(path.read_bytes())
    for place in draw.integers(len(content), size=8):
        content[place] ^= 1 << int(draw.integers(8))
    return bytes(content)


def damaged(path: Path, kind: str, others: list[Path], draw: np.random.Generator) -> bytes:
    """The content that a file of a kind of damage has; ``others`` are the files that it may be swapped with."""
    made: dict[str, Callable[[], bytes]] = {
        "truncated": lambda: path.read_bytes()[: int(draw.integers(1, path.stat().st_size))],
        "flipped": lambda: _flipped(path, draw),
        "empty": lambda: b"",
        "swapped": lambda: others[int(draw.integers(len(others)))].read_bytes(),
        "schema": lambda: pd.DataFrame({"fact_id": ["a"], "score": [1.0]}).to_parquet(),
        "object": lambda: b"{}\n",
        "nan": lambda: _nan(path),
        "encoding": lambda: NOT_UTF8,
        "types": lambda: _other_types(path),
        "repeated": lambda: _repeated(path),
    }
    return made[kind]()
