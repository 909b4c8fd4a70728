"""Tables kept for other studies, under a key of the content of all that makes them (docs/caching.md)."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.storage.files import read_json, write_json
from dkn.storage.provenance import sha256

CONTENT = "content.json"


def _files(model: Path) -> list[Path]:
    return sorted(path for path in model.iterdir() if path.is_file() and path.name != "provenance.json")


def content_of(record: Mapping[str, Any], model: Path, facts: pd.DataFrame, device: str) -> dict[str, Any]:
    """What makes a table of a model's facts, without any name or place of a study.

    Args:
        record: the table's provenance; of its inputs only the content counts, which is read here.
        model: the model's folder; all its files count but its own provenance.
        facts: rows in their order, with the columns ``fact_id``, ``prompt`` and ``answer``.
        device: the kind of device, ``cpu`` or ``cuda``.
    """
    rows = json.dumps(facts[["fact_id", "prompt", "answer"]].to_numpy().tolist())
    return {
        **{part: record[part] for part in ("stage", "settings", "code_sha256", "versions")},
        "device": device,
        "model": {path.name: sha256(path) for path in _files(model)},
        "facts_sha256": hashlib.sha256(rows.encode()).hexdigest(),
    }


class Entry:
    """Some files in a cache folder under the key of their content; made and found as a whole or not at all."""

    def __init__(self, cache: Path, content: Mapping[str, Any]):
        self.content = content
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self.folder = cache / content["stage"] / key

    def find(self, *names: str) -> list[Path] | None:
        """The files, if they are there and as they were written; a spoilt entry is none."""
        paths = [self.folder / name for name in names]
        try:
            checksums = read_json(self.folder / CONTENT)["checksums"]
            return paths if all(sha256(path) == checksums[path.name] for path in paths) else None
        except (OSError, ValueError, KeyError):
            return None

    def keep(self, files: Mapping[str, Path]) -> None:
        """Copy files into the cache; where another study was first, or the folder takes none, nothing is changed.

        A cache that cannot be written must not cost the result that was to be kept: it is one line of warning.
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
                if self.folder.exists() and not self.find(*files):
                    self.folder.rename(Path(name) / "spoilt")
                with suppress(OSError):  # another study was first
                    new.rename(self.folder)
        except OSError as error:
            print(f"warning: nothing kept in the cache: {error}")
