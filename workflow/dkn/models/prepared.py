"""Prepared model folders: whether their files are still those whose checksums their provenance has.

The checksum of every weight takes seconds for a large model. So a note beside the folder keeps the size and the times
of the files that had the right checksum, and a file is read again only when these have changed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from dkn.errors import UserError
from dkn.models.files import model_files
from dkn.models.weights import json_object
from dkn.storage.artefacts import remake
from dkn.storage.files import write_json
from dkn.storage.provenance import sha256


def _note(folder: Path) -> Path:
    """Return the path of the note about a prepared folder; no job has it as input, since times differ in each run."""
    return folder.parent / f".{folder.name}.verified.json"


def _noted(folder: Path) -> dict[str, Any]:
    """Read the note about a prepared folder; an unreadable one is as good as none."""
    try:
        return json_object(_note(folder))
    except (OSError, UserError):
        return {}


def recorded_files(folder: Path) -> dict[str, str]:
    """Return the checksums by file name that a prepared model's provenance has.

    Raises:
        UserError: there is no such record.
    """
    path = folder / "provenance.json"
    files = json_object(path).get("files") if path.is_file() else None
    if not isinstance(files, dict) or not files:
        raise UserError(f"{path}: no record of a prepared model's files; {remake(folder)}")
    return files


def require_as_prepared(folder: Path, *, read_all: bool = False) -> None:
    """Raise unless a prepared model's files are those of its provenance.

    Args:
        folder: the prepared folder.
        read_all: whether every checksum is computed anew, even where neither size nor times have changed.
    Raises:
        UserError: a file is missing, has changed, or has come since; the line says how to make the model again.
    """
    recorded, noted = recorded_files(folder), _noted(folder)
    for path in model_files(folder):
        if path.name not in recorded:
            raise UserError(f"{path}: was not there when the model was prepared; remove it, or {remake(folder)}")
    seen: dict[str, Any] = {}
    for name, checksum in recorded.items():
        path = folder / name
        if not path.is_file():
            target = f" (it links to {path.readlink()}, which is not there)" if path.is_symlink() else ""
            raise UserError(f"{path}: missing since the model was prepared{target}; {remake(folder)}")
        status = path.stat()
        seen[name] = [checksum, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        try:
            same = (not read_all and noted.get(name) == seen[name]) or sha256(path) == checksum
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        if not same:
            raise UserError(
                f"{path}: has changed since the model was prepared (its sha256 is not the one in provenance.json); "
                f"{remake(folder)}"
            )
    if seen != noted:
        with suppress(
            OSError, UserError
        ):  # a results folder that is read only: the checksums are computed again next time
            write_json(_note(folder), seen)
