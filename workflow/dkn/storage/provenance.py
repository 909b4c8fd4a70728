"""What made a file: stage, settings, code, inputs, versions. Standard library only: the Snakefile uses it too."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from dkn.stages import PACKAGE, stage_file

VERSIONED = ("torch", "transformers", "tokenizers", "ripser", "scikit-learn", "scipy", "numpy", "pandas", "pyarrow")


def _imported(path: Path) -> set[Path]:
    """The files of this package that one file imports, read off its syntax tree."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
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
                    found.add(file)
    return found


def code_files(stage: str) -> list[Path]:
    """The module of a stage and all modules of this package it depends on, sorted."""
    todo = [stage_file(stage)]
    seen: set[Path] = set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_imported(path))
    return sorted(seen)


def sha256(path: Path) -> str:
    """Checksum of a file, or of a prepared model folder by its own provenance, which holds its weights' checksum."""
    file = path / "provenance.json" if path.is_dir() else path
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _checksums(paths: Sequence[Path]) -> dict[str, str]:
    """Checksums by path, absolute ones by name alone: where a checkout lies does not matter."""
    found: dict[str, str] = {}
    for path in paths:
        name = path.name if path.is_absolute() else str(path)
        found[name if name not in found else f"{path.parent.name}/{name}"] = sha256(path)
    return found


def provenance(stage: str, settings: dict[str, Any], inputs: Sequence[Path]) -> dict[str, Any]:
    """A JSON-ready record of what makes an output. No time in it: equal runs give equal files."""
    code = hashlib.sha256()
    for path in code_files(stage):
        code.update(path.read_bytes())
    stated = json.dumps(settings, sort_keys=True)
    return {
        "stage": stage,
        "settings": settings,
        "settings_sha256": hashlib.sha256(stated.encode()).hexdigest(),
        "code_sha256": code.hexdigest(),
        "inputs": _checksums(inputs),
        "versions": _versions(),
    }
