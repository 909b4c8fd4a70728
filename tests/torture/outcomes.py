"""Whether two files of results say the same, provenance and what was measured by the clock left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

MEASURED = ("provenance", "training_seconds", "peak_memory_bytes", "seconds")
NEVER_EQUAL = (".log", ".tsv", ".html")  # what was said, what was measured, and pages with the provenance in them
DRAWN = (".png", ".pdf")
NOTES = (".snakemake_timestamp", ".model.verified.json")  # with times of files


def _without_measured(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_measured(value) for key, value in content.items() if key not in MEASURED}
    return [_without_measured(part) for part in content] if isinstance(content, list) else content


def content_of(path: Path) -> object:
    """What a file says, in a form that can be compared; pages, logs and pictures say that they are there."""
    if path.suffix == ".parquet":
        return pq.read_table(path).replace_schema_metadata(None)
    if path.suffix == ".json":
        return _without_measured(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":
        frame = pd.read_csv(path, encoding="utf-8", dtype=str, keep_default_na=False)
        return frame.drop(columns=[name for name in MEASURED if name in frame]).to_csv()
    if path.suffix in (*NEVER_EQUAL, *DRAWN):
        return path.stat().st_size > 0
    return path.read_bytes()


def results_of(folder: Path) -> dict[str, object]:
    """The content of every file of a study's results, by its path; logs, benchmarks and notes of times are left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in NOTES]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: content_of(path) for name, path in names.items() if not name.startswith(("logs/", "benchmarks/"))}


def differences(results: dict[str, object], others: dict[str, object]) -> list[str]:
    """The files that are in only one of two studies' results, or that say something else there."""
    names = sorted(results.keys() | others.keys())
    return [name for name in names if name not in results or name not in others or results[name] != others[name]]
