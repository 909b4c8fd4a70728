"""Write the summaries of a study, read them again, and find rows in them."""

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
    """Write a summary with the provenance of the stage that made it.

    Args:
        path: the JSON file to write.
        content: the summary.
        stage: the name of the stage.
        settings: the settings of the statistics, which the provenance states.
        inputs: the files that the summary was made from.
    """
    write_json(path, {**content, "provenance": provenance(stage, vars(settings), inputs)})


def stored_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return one model's summaries by experiment.

    Args:
        folder: the model's folder of results.
        experiments: the names of the experiments.
    """
    return {name: read_json(folder / "experiments" / name / "summary.json") for name in experiments}


def read_summaries(folder: Path, experiments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return one model's summaries by experiment, and the comparison of all groupings under ``degeneracy``.

    Args:
        folder: the model's folder of results.
        experiments: the names of the experiments.
    """
    comparison = read_json(folder / "experiments" / "degeneracy" / "comparison.json")
    return {**stored_summaries(folder, experiments), "degeneracy": comparison["degeneracy"]}


def stored_by_model(folders: Sequence[Path], experiments: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the summaries of several models, by model and experiment.

    Args:
        folders: the models' folders of results, whose names are those of the models.
        experiments: the names of the experiments.
    """
    return {folder.name: stored_summaries(folder, experiments) for folder in folders}


def compared_by_model(folders: Sequence[Path], experiments: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the summaries of several models, by model and experiment, with the comparisons of all groupings.

    Args:
        folders: the models' folders of results, whose names are those of the models.
        experiments: the names of the experiments.
    Returns:
        The comparison of a model's groupings stands beside its summaries, under ``degeneracy``.
    """
    return {folder.name: read_summaries(folder, experiments) for folder in folders}


def summary_files(folders: Sequence[Path], experiments: Sequence[str]) -> list[Path]:
    """Return the files that ``compared_by_model`` reads for the same arguments, to be stated in a provenance."""
    return [
        folder / "experiments" / name
        for folder in folders
        for name in (*(f"{name}/summary.json" for name in experiments), "degeneracy/comparison.json")
    ]


def matching(rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows that have all the values of ``where``."""
    return [row for row in rows if all(row.get(name) == value for name, value in where.items())]


def only_match(rows: Sequence[Mapping[str, Any]], where: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the one row that has all the values of ``where``, or None where there is none.

    Raises:
        ValueError: several rows have them.
    """
    matches = matching(rows, where)
    if len(matches) > 1:
        raise ValueError(f"{len(matches)} rows match {dict(where)}")
    return matches[0] if matches else None
