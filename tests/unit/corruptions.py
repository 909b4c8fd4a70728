"""Damaged and foreign files of a study, drawn by a seed, and the stages that must notice them.

``trials`` draws them; each trial damages one file, runs a stage that reads it, and puts the file back.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dkn.__main__ import main

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


@dataclass(frozen=True)
class Trial:
    """A damaged file and what the stage made of it.

    Attributes:
        path, kind: the file, and the kind of damage.
        status: the stage's exit status; None where it ended with a traceback.
        error: the lines on standard error that begin with ``error:``, or the traceback's last line.
        same: whether the stage's output is what it is with the sound file.
    """

    path: Path
    kind: str
    status: int | None
    error: list[str]
    same: bool

    @property
    def good(self) -> bool:
        """Whether the damage was refused in one line that names a file, or changed nothing."""
        if self.status == 0:
            return self.same
        return self.status is not None and len(self.error) == 1 and str(self.path.parent.name) in self.error[0]


def run(arguments: list[str]) -> tuple[int | None, list[str]]:
    """Run a stage in this process; return its status, or None for a traceback, and its error lines."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status: int | None = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    except Exception as bug:
        return None, [f"{type(bug).__name__}: {bug}"]
    return status, [line for line in said.getvalue().splitlines() if line.startswith("error:")]


def content_of(output: Path) -> object:
    """What a stage wrote, without its provenance."""
    if not output.exists():
        return None
    if output.suffix == ".json":
        return {key: value for key, value in json.loads(output.read_text()).items() if key != "provenance"}
    return output.read_bytes()


def trials(readers: dict[Path, Callable[[Path], list[str]]], scratch: Path, count: int, seed: int) -> Iterator[Trial]:
    """Damage files one after the other, and run a stage that reads each.

    Args:
        readers: for every file the arguments of a stage that reads it, given the output that it is to write.
        scratch: a folder for outputs.
        count: the number of trials.
        seed: what the draws depend on.
    """
    draw = np.random.default_rng(seed)
    files = sorted(readers)
    expected: dict[Path, object] = {}
    for number in range(count):
        path, kind = files[int(draw.integers(len(files)))], KINDS[number % len(KINDS)]
        output = scratch / f"{files.index(path)}{'.json' if 'summary' in readers[path](scratch)[0] else '.csv'}"
        if path not in expected:
            status, error = run(readers[path](output))
            assert status == 0, (path, error)
            expected[path] = content_of(output)
        output.unlink(missing_ok=True)
        keep = scratch / "sound"
        shutil.copy2(path, keep)
        others = [file for file in files if file.suffix == path.suffix and file.read_bytes() != path.read_bytes()]
        if kind == "gone":
            path.unlink()
        else:
            path.write_bytes(damaged(path, kind, others, draw))
        status, error = run(readers[path](output))
        found = content_of(output)
        shutil.move(keep, path)
        yield Trial(path, kind, status, error, found == expected[path])
