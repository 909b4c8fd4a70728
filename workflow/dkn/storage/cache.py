"""The cache: tables that are kept for other studies.

An entry of the cache is named by a hash of everything that determines its tables: code, settings, versions, the model's
files and the facts. The names of the study, its models and its folders are no part of it (docs/caching.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.errors import UserError
from dkn.storage.files import read_json, write_json
from dkn.storage.provenance import sha256

CONTENT = "content.json"


def _files(model: Path) -> list[Path]:
    """Return all files of a model's folder but its provenance, sorted."""
    return sorted(path for path in model.iterdir() if path.is_file() and path.name != "provenance.json")


def content_of(record: Mapping[str, Any], model: Path, facts: pd.DataFrame, device: str) -> dict[str, Any]:
    """Return everything that determines a table about a model's facts, without any name or folder of a study.

    Args:
        record: the table's provenance. The paths of its inputs are left out; the other arguments stand for their
            content.
        model: the model's folder, whose files are read, all but its own provenance.
        facts: the rows that the table is about, in their order, with the columns fact_id, prompt and answer.
        device: the kind of device, ``cpu`` or ``cuda``.
    """
    rows = json.dumps(facts[["fact_id", "prompt", "answer"]].to_numpy().tolist())
    return {
        **{key: record[key] for key in ("stage", "settings", "code_sha256", "versions")},
        "device": device,
        "model": {path.name: sha256(path) for path in _files(model)},
        "facts_sha256": hashlib.sha256(rows.encode()).hexdigest(),
    }


class Entry:
    """An entry of the cache, which has all its files or does not exist.

    Args:
        cache: the folder of the cache.
        content: a result of ``content_of``, of which the entry's name is a hash.
    """

    def __init__(self, cache: Path, content: Mapping[str, Any]):
        self.content = content
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self.folder = cache / content["stage"] / key

    def find(self, *names: str) -> list[Path] | None:
        """Return the entry's files of these names, or None where the entry does not exist or a file has changed."""
        paths = [self.folder / name for name in names]
        try:
            checksums = read_json(self.folder / CONTENT).get("checksums")
            if not isinstance(checksums, dict):
                return None
            return paths if all(sha256(path) == checksums.get(path.name) for path in paths) else None
        except (OSError, UserError):
            return None

    def keep(self, files: Mapping[str, Path]) -> None:
        """Copy files into the cache, unless another study has kept the same entry; a damaged entry is replaced.

        A cache that cannot be written gives one line of warning and no error, because the study has its result.

        Args:
            files: the files by the names that they get in the entry.
        """
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=self.folder.parent) as name:
                new = Path(name) / "new"
                new.mkdir()
                for target, path in files.items():
                    shutil.copyfile(path, new / target)
                checksums = {target: sha256(new / target) for target in files}
                write_json(new / CONTENT, {"content": self.content, "checksums": checksums})
                if os.path.lexists(self.folder) and not self.find(*files):
                    self.folder.rename(Path(name) / "spoilt")
                with suppress(OSError):  # another study was first
                    new.rename(self.folder)
        except (OSError, UserError) as error:
            print(f"warning: nothing kept in the cache: {error}")
