"""Provenance: the record of what made a file, which is its stage, settings, code, inputs and the versions of libraries.

Beside errors this module imports the standard library only, because the Snakefile uses it too.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from dkn.errors import UserError
from dkn.stages import PACKAGE, stage_file

VERSIONED = ("torch", "transformers", "tokenizers", "ripser", "scikit-learn", "scipy", "numpy", "pandas", "pyarrow")


@functools.cache
def _imported(path: Path) -> frozenset[Path]:
    """Return the files of this package that a file imports, from its syntax tree."""
    files = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE.name and len(parts) > 1:
                file = PACKAGE.joinpath(*parts[1:]).with_suffix(".py")
                if file.is_file():
                    files.add(file)
    return frozenset(files)


def code_files(stage: str) -> list[Path]:
    """Return the module of a stage and all modules of this package that it depends on, sorted."""
    waiting = [stage_file(stage)]
    files: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting.extend(_imported(path))
    return sorted(files)


def code_sha256(stage: str | None, others: Sequence[Path] = ()) -> str:
    """Return one SHA-256 over a stage's code and further files of the checkout, in hexadecimal digits.

    It depends on the content alone, so that it is the same wherever the checkout lies.

    Args:
        stage: the stage whose modules count; None counts the other files only.
        others: files that belong to the code though they are no modules.
    Raises:
        UserError: a file cannot be read.
    """
    code = hashlib.sha256()
    for path in [*(code_files(stage) if stage else ()), *others]:
        try:
            code.update(path.read_bytes())
        except OSError as error:
            raise UserError(f"{path}: this part of the workflow cannot be read ({error.strerror})") from None
    return code.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    For a prepared model folder it is that of its provenance, which has the checksums of its files.
    """
    file = path / "provenance.json" if path.is_dir() else path
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that are installed, by name."""
    versions = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _checksums(paths: Sequence[Path]) -> dict[str, str]:
    """Return checksums by path; an absolute path counts as its name, because it depends on where the checkout lies."""
    checksums: dict[str, str] = {}
    for path in paths:
        name = path.name if path.is_absolute() else str(path)
        checksums[name if name not in checksums else f"{path.parent.name}/{name}"] = sha256(path)
    return checksums


def provenance(stage: str, settings: dict[str, Any], inputs: Sequence[Path]) -> dict[str, Any]:
    """Return the record of what makes an output, ready for JSON; it has no time, so that equal runs give equal files.

    Args:
        stage: the stage that makes the output.
        settings: the settings that the stage was given.
        inputs: the files and prepared model folders that it read.
    """
    settings_text = json.dumps(settings, sort_keys=True)
    return {
        "stage": stage,
        "settings": settings,
        "settings_sha256": hashlib.sha256(settings_text.encode()).hexdigest(),
        "code_sha256": code_sha256(stage),
        "inputs": _checksums(inputs),
        "versions": _versions(),
    }
