"""The files of a model in a folder of Hugging Face's layout."""

from __future__ import annotations

from math import prod
from pathlib import Path

from dkn.models.weights import all_tensors

PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def model_files(folder: Path) -> list[Path]:
    """Return the files of weights, configuration and tokenizer, sorted; none where there is no such folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file for file in files if any(map(file.match, PATTERNS)) and file.name != "provenance.json"]


def parameters(folder: Path) -> int:
    """Return the number of parameters in a model folder's weights, from their headers alone.

    Raises:
        UserError: the weights are missing or damaged.
    """
    return sum(prod(tensor.shape) for tensor in all_tensors(folder).values())
