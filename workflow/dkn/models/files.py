"""Which files of a folder in Hugging Face's layout are the model."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def model_files(folder: Path) -> list[Path]:
    """Weights, configuration and tokenizer, sorted; none where there is no such folder."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file for file in found if any(map(file.match, PATTERNS)) and file.name != "provenance.json"]


def parameters(folder: Path) -> int:
    """How many parameters a model folder's safetensors files hold, from their headers alone."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        total += sum(prod(part["shape"]) for name, part in header.items() if name != "__metadata__")
    return total
