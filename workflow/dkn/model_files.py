"""Which files of a folder in Hugging Face's layout are the model."""

from __future__ import annotations

from pathlib import Path

PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def model_files(folder: Path) -> list[Path]:
    """Weights, configuration and tokenizer, sorted; none where there is no such folder."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file for file in found if any(map(file.match, PATTERNS)) and file.name != "provenance.json"]
