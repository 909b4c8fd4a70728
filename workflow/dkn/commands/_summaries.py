"""Reading a study's summaries."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dkn.io import read_json


def stored_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One model's summaries by experiment."""
    return {name: read_json(folder / "experiments" / name / "summary.json") for name in experiments}


def read_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The same, and as ``degeneracy`` the comparison of all groupings."""
    comparison = read_json(folder / "experiments" / "degeneracy" / "comparison.json")
    return {**stored_summaries(folder, experiments), "degeneracy": comparison["degeneracy"]}


def summary_files(folders: Sequence[Path], experiments: Sequence[str]) -> list[Path]:
    """The files that ``read_summaries`` reads, for provenance."""
    return [
        folder / "experiments" / name
        for folder in folders
        for name in (*(f"{name}/summary.json" for name in experiments), "degeneracy/comparison.json")
    ]
