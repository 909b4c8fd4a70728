"""The files of a model in a folder of Hugging Face's layout."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def model_files(folder: Path) -> list[Path]:
    """Return the files of weights, configuration and tokenizer, sorted; none where there is no such folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file for file in files if any(map(file.match, PATTERNS)) and file.name != "provenance.json"]


def parameters(folder: Path) -> int:
    """Return the number of parameters in a model folder's safetensors files, from their headers alone."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        total += sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return total
