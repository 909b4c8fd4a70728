"""Writing the summaries of a study, reading them again, and finding rows in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_json, write_json
from dkn.storage.provenance import provenance


def write_summary(
    path: Path, content: Mapping[str, Any], stage: str, settings: StatisticsSettings, inputs: Sequence[Path]
) -> None:
    """Write a summary with the provenance of the stage that made it."""
    write_json(path, {**content, "provenance": provenance(stage, vars(settings), inputs)})


def stored_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One model's summaries by experiment."""
    return {name: read_json(folder / "experiments" / name / "summary.json") for name in experiments}


def read_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One model's summaries by experiment, with the comparison of all groupings as ``degeneracy``."""
    comparison = read_json(folder / "experiments" / "degeneracy" / "comparison.json")
    return {**stored_summaries(folder, experiments), "degeneracy": comparison["degeneracy"]}


def stored_by_model(folders: Sequence[Path], experiments: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """The summaries of several models by model and experiment."""
    return {folder.name: stored_summaries(folder, experiments) for folder in folders}


def compared_by_model(folders: Sequence[Path], experiments: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """The same with the comparison of all groupings as ``degeneracy``."""
    return {folder.name: read_summaries(folder, experiments) for folder in folders}


def summary_files(folders: Sequence[Path], experiments: Sequence[str]) -> list[Path]:
    """The files that ``read_summaries`` reads, for provenance."""
    return [
        folder / "experiments" / name
        for folder in folders
        for name in (*(f"{name}/summary.json" for name in experiments), "degeneracy/comparison.json")
    ]


def matching(rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows that have all the values of ``where``."""
    return [row for row in rows if all(row.get(name) == value for name, value in where.items())]


def only_match(rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one row that has all the values of ``where``; None where there is none.

    Raises:
        ValueError: several rows have them.
    """
    found = matching(rows, where)
    if len(found) > 1:
        raise ValueError(f"{len(found)} rows match {dict(where)}")
    return found[0] if found else None
