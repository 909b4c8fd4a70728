"""What a stored file says about itself, and whether that is what it is taken for.

The provenance of a table or summary names the stage that made it, the inputs with their checksums and, for the folders
of the workflow, the file's own place within its model's results. A file is refused that was copied from another place
or from another model's results, or that was made from another version of its inputs.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dkn.errors import UserError
from dkn.storage.provenance import sha256

PLACE, CONTENT = "place", "content_sha256"  # keys of a provenance
FACTS = "facts"  # the folder beside the models' folders
DEPTHS = {"experiments": 3, "attribution": 2, "candidates": 2, "components": 2}  # parts of a place by its first part

# What is required of JSON files by their names: the types of some entries, in an experiment's folder and beside models.
OF_EXPERIMENTS: dict[str, dict[str, type]] = {
    "summary.json": {"experiment": str, "model": str},
    "comparison.json": {"model": str, "groupings": list, "functional_test": dict, "degeneracy": dict},
    "training.json": {"subset": str, "minimum": int, "new_facts": int},
}
OF_STUDIES: dict[str, dict[str, type]] = {
    "verdicts.json": {"thresholds": dict, "verdicts": list},
    "complexity.json": {"sizes": dict, "rows": list},
    "seeds.json": {"entries": dict, "rows": list},
}


def remake(path: Path) -> str:
    """Return the end of a message: the command that makes a file again."""
    command = shlex.join(["snakemake", "--cores", "1", "--force", str(path)])
    return f"make it again: {command} (with the study's --configfile)"


def place_of(path: Path) -> str | None:
    """Return a file's place in its model's folder, as in ``components/ntc.parquet``; None outside the known folders."""
    for first, depth in DEPTHS.items():
        if len(path.parts) > depth and path.parts[-depth] == first:
            return "/".join(path.parts[-depth:])
    return None


def _home(path: Path) -> Path:
    """Return the folder of a model's results, or of facts, that a file of the workflow lies in."""
    place = place_of(path)
    return path.parents[place.count("/")] if place else path.parent


def with_place(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a provenance that states a file's own place, where the file lies in a folder of the workflow."""
    place = place_of(path)
    return {**record, PLACE: place} if place else dict(record)


def content_checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content of a JSON file but its provenance, in hexadecimal digits."""
    rest = {key: value for key, value in content.items() if key != "provenance"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@functools.lru_cache(maxsize=1024)
def _checksum(path: Path, _size: int, _time: int) -> str:
    """Return a file's checksum, which is computed anew where size or time have changed."""
    return sha256(path)


def _current(path: Path) -> str | None:
    """Return the checksum of an input as it is now; None where it cannot be read."""
    try:
        status = (path / "provenance.json" if path.is_dir() else path).stat()
        return _checksum(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


def _of_another_model(path: Path, inputs: Mapping[str, str]) -> Path | None:
    """Return the folder of another model of the same study that a file was made from, or None."""
    own = _home(path)
    homes = {_home(Path(name)) for name in inputs if "/" in name}
    others = {home for home in homes if home.parent == own.parent and home.name not in (FACTS, own.name)}
    several = any(home == own for home in homes) or own.name == FACTS  # a file about all models has inputs of each
    return min(others) if others and not several and own.parent != own else None


def require_own(path: Path, record: Mapping[str, Any]) -> None:
    """Raise where a file's provenance says that it is another file, another model's, or older than its inputs.

    A provenance without the entries that would say so passes.

    Args:
        path: the file.
        record: its provenance.
    Raises:
        UserError: the line names the file, what it is, and the command that makes it again.
    """
    stage, inputs, place = (record.get(key) for key in ("stage", "inputs", PLACE))
    what = f"a file of stage {stage}"
    own_place = place_of(path)
    if isinstance(place, str) and own_place and place != own_place:
        raise UserError(f"{path}: is {place}, {what}, and not what its name says; {remake(path)}")
    if not isinstance(inputs, dict) or path.is_absolute():
        return
    if own_place or path.parent.parent != path.parent:
        other = _of_another_model(path, inputs)
        if other:
            raise UserError(f"{path}: is of {other.name}, {what}, and not of {_home(path).name}; {remake(path)}")
    for name, checksum in inputs.items():
        if "/" in name and _current(Path(name)) not in (None, checksum):
            raise UserError(f"{path}: {what} that was made from another version of {name}; {remake(path)}")


def require_shape(path: Path, content: Mapping[str, Any]) -> None:
    """Raise unless a JSON file holds what its name says, of the model and the experiment whose folders it lies in.

    Raises:
        UserError: the line names the file, the entry, and the command that makes it again.
    """
    in_experiments = len(path.parts) >= 4 and path.parts[-3] == "experiments"
    shape = (OF_EXPERIMENTS if in_experiments else OF_STUDIES).get(path.name, {})
    if path.name == "training.json" and in_experiments:
        shape = shape | ({"not_run": str} if "not_run" in content else {"sets": list})
    for key, kind in shape.items():
        if not isinstance(content.get(key), kind) or isinstance(content.get(key), bool):
            raise UserError(f"{path}: no {path.stem} as a study stores it ({key} is missing or wrong); {remake(path)}")
    if path.name not in ("summary.json", "comparison.json") or not in_experiments:
        return
    expected = {"model": path.parts[-4], "experiment": path.parts[-2]}
    for key in ("model", "experiment") if path.name == "summary.json" else ("model",):
        if content[key] != expected[key]:
            raise UserError(
                f"{path}: is the {path.stem} of {key} {content[key]}, not of {expected[key]}; {remake(path)}"
            )
