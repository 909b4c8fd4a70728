"""Checks of a study before its first job: its GPUs, its facts with their templates, and its models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from dkn.errors import UserError
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.stages import PACKAGE
from dkn.study.config import Study
from dkn.study.inputs import BundledFacts, FolderModel, GgufModel, HubModel, PathFacts, WheelModel, WheelPart
from dkn.validation_messages import shown


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
            # A name that itself looks like one with a checksum is followed by an empty one.
            stated = source.sha256 or "#sha256=" in location
            locations.append(f"{location}#sha256={source.sha256 or ''}" if stated else location)
    return locations


def bundled_templates(study: Study, resources: Path) -> list[str]:
    """Return the bundled files of relation templates: the one of all studies, then those of bundled sources.

    A bundled source ``NAME.jsonl`` with relations of its own has their templates in ``NAME.yaml``.

    Args:
        resources: the folder of the bundled facts.
    """
    names = {source.bundled: None for source in study.facts.sources if isinstance(source, BundledFacts)}
    own = [resources / f"{name}.yaml" for name in names]
    return [str(resources / "templates.yaml"), *(str(path) for path in own if path.is_file())]


def template_files(study: Study, resources: Path) -> list[str]:
    """Return the files of relation templates: the bundled ones in ``resources``, then the study's own."""
    return [*bundled_templates(study, resources), *study.facts.templates]


def check_facts(
    locations: Sequence[str],
    templates: Sequence[str],
    example: str | None = None,
    minimum_known: int = 1,
    most: int | None = None,
) -> None:
    """Read and validate every line of the local sources; the job that downloads a URL checks it.

    Args:
        locations: the sources, as ``facts_locations`` gives them.
        templates: the files of relation templates.
        example: the id of the fact that figures are to show; None where they pick one.
        minimum_known: how many facts every model has to know.
        most: how many facts are drawn, of whole subjects; None takes all.
    Raises:
        UserError: a file cannot be read, a line is bad, or all sources are here and none has the example, or they have
            fewer facts than a model has to know.
    """
    relation_templates = read_templates([Path(path) for path in templates])
    sources = [FactsSource.parse(location) for location in locations]
    local = [source for source in sources if not source.is_url]
    facts, _ = read_facts(local, relation_templates, seed=0)
    if len(local) == len(sources):
        if example is not None:
            check_example(example, [fact.fact_id for fact in facts])
        of_a_subject = max(Counter(fact.subject for fact in facts).values(), default=0)
        # The last subject that is drawn may have more facts than are wanted.
        count = len(facts) if most is None else min(len(facts), most + of_a_subject - 1)
        if count < minimum_known:
            drawn = "" if count == len(facts) else f" (facts.most is {most})"
            raise UserError(
                f"config: minimum_known: every model has to know {minimum_known} facts, and the study has at most "
                f"{count}{drawn}; lower the key, or name more facts"
            )


def check_example(example: str, ids: Sequence[str]) -> None:
    """Raise where the fact that figures are to show is none of the study's.

    Raises:
        UserError: no fact has this id; the line names those that look like it.
    """
    if example not in ids:
        near = get_close_matches(example[:100], ids, n=3, cutoff=0.5) or list(ids[:3])
        raise UserError(
            f"config: figures.example_fact: no fact has the id {shown(example)}; allowed: null, or an id like "
            + ", ".join(str(shown(other)) for other in near)
        )


def _check_wheel(name: str, part: WheelPart) -> None:
    """Raise unless the package index has the wheel; only its metadata is downloaded, and nothing of it is run."""
    # Without --only-binary pip would build a source distribution to learn its metadata, which runs the package's code.
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--only-binary=:all:", "--quiet", "--no-deps"]
    requirement = f"{part.package}=={part.version}"
    result = subprocess.run(
        [*command, "--ignore-installed", "--disable-pip-version-check", requirement],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"model {name}: the package index does not give {requirement}: {reason}")


def _check_opening(folders: Mapping[str, Path]) -> list[str]:
    """Return what keeps model folders from being opened, one line each, as a process with transformers finds it.

    Where this interpreter has no transformers, the models' own jobs make the same check.

    Args:
        folders: the folders by the names of their models.
    """
    if not folders or not all(find_spec(name) for name in ("torch", "transformers")):
        return []
    result = subprocess.run(
        [sys.executable, "-m", PACKAGE.name, "model-check", *(f"--path={path}" for path in folders.values())],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    problems = []
    for line in result.stdout.splitlines() if result.returncode == 1 else ():
        problems += [f"model {name}: {line}" for name, path in folders.items() if line.startswith(f"{path}: ")]
    return problems


def check_models(study: Study, planned: Collection[str]) -> None:
    """Raise where models that are about to be prepared are missing, damaged or unsupported.

    Models that are prepared already are among them, where they are to be prepared anew.

    Args:
        planned: the names of the models that jobs are to prepare.
    Raises:
        UserError: one line for every such model.
    """
    from dkn.models.gguf_files import require_gguf
    from dkn.models.sources import check_hub, require_model_folder

    problems, folders = [], {}
    for model in study.models:
        if model.name not in planned:
            continue
        try:
            if isinstance(model, FolderModel):
                require_model_folder(Path(model.path))
                folders[model.name] = Path(model.path)
            elif isinstance(model, HubModel):
                check_hub(model.repo, model.revision)
            elif isinstance(model, WheelModel):
                for part in model.parts:
                    _check_wheel(model.name, part)
            elif isinstance(model, GgufModel):
                require_gguf([Path(path) for path in model.parts])
        except UserError as error:
            problems.append(f"model {model.name}: {error}" if not str(error).startswith("model ") else str(error))
    problems += _check_opening(folders)
    if problems:
        raise UserError("\n".join(problems))
