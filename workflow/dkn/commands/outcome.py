"""Collect what a study found in three small files: its numbers, its verdicts, and what made them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn import flags
from dkn.paper.reproduction import numbers_of, verdicts_of
from dkn.stages import PACKAGE
from dkn.storage.files import atomic_file, read_json, write_json
from dkn.storage.provenance import provenance, sha256


def _commit() -> str | None:
    """Return the commit of the checkout, marked where files differ from it; None without git or outside a clone."""
    git = shutil.which("git")
    if git is None:
        return None
    asked = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        said = [
            subprocess.run([git, *words], cwd=PACKAGE, capture_output=True, encoding="utf-8", check=True).stdout.strip()
            for words in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return said[0] + (" with changes" if said[1] else "")


def _processor() -> str:
    """Return the name of the processor, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _weights(model: Path) -> dict[str, str]:
    """Return the checksums of a prepared model's weights, by file."""
    folder = model / "model"
    return {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}


def main(
    model: flags.Folders,
    table: Annotated[list[Path], Option(help="The CSV of a table of a setting, or of the funnel. Repeatable.")],
    verdicts: Annotated[Path, Option(help="verdicts.json")],
    study: Annotated[str, Option(help="The settings of the study as JSON.")],
    output: flags.Output,
    commit: Annotated[str | None, Option(help="The commit that made it; by default that of the checkout.")] = None,
) -> None:
    """Write ``study.json``, and ``numbers.csv`` and ``verdicts.csv`` beside it."""
    numbers = pd.concat([numbers_of(path.stem, pd.read_csv(path)) for path in table], ignore_index=True)
    judged = verdicts_of(read_json(verdicts)["verdicts"])
    for name, frame in (("numbers", numbers), ("verdicts", judged)):
        with atomic_file(output.with_name(f"{name}.csv")) as path:
            frame.to_csv(path, index=False, float_format="%.6g", encoding="utf-8")
    record = provenance("outcome", {}, [])
    content: dict[str, Any] = {
        "commit": commit or _commit(),
        "versions": record["versions"],
        "machine": {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count()},
        "weights": {folder.name: _weights(folder) for folder in model},
        "settings": json.loads(study),
    }
    write_json(output, content)
    print(f"{len(numbers)} numbers and {len(judged)} verdicts: {output.parent}")
