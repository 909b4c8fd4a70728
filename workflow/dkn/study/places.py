"""The files and folders that a study names: none of them may be another one, or lie where the study writes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dkn.study.inputs import RESERVED_NAMES, BundledFacts, Facts, FolderModel, GgufModel, Model, PathFacts
from dkn.study.replicates import replicates
from dkn.validation_messages import shown


def _real(path: str) -> Path:
    """Return where a path leads, from the current folder on; links that are there are followed."""
    return Path(os.path.realpath(path))


def _named_files(models: Sequence[Model], facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the key and the path of everything local that the study reads."""
    for number, model in enumerate(models, start=1):
        if isinstance(model, FolderModel):
            yield f"models.{number}.path", model.path
        elif isinstance(model, GgufModel):
            for part, path in enumerate(model.parts, start=1):
                yield f"models.{number}.path" + (f"s.{part}" if model.paths else ""), path
    for number, source in enumerate(facts.sources, start=1):
        if isinstance(source, PathFacts):
            yield f"facts.sources.{number}.path", source.path
    for number, path in enumerate(facts.templates, start=1):
        yield f"facts.templates.{number}", path


def place_problems(results: str, cache: str | None, models: Sequence[Model], facts: Facts) -> list[str]:
    """Return what is wrong with the places of a study, one line each, led by the key.

    Args:
        results, cache, models, facts: these keys of the study.
    """
    written, current = _real(results), _real(".")
    problems = []
    if current.is_relative_to(written) or ".snakemake" in written.parts:
        problems.append(
            "results: must be a folder of its own: neither the current one, nor one that holds it, nor one of "
            f"Snakemake's (found {shown(results)})"
        )
    elif cache is not None:
        place = _real(cache)
        names = {*RESERVED_NAMES, *(replicate.name for replicate in replicates(models))}
        if place == written or (place.is_relative_to(written) and place.relative_to(written).parts[0] in names):
            problems.append(f"cache: must not be a folder that the study writes in `results` (found {shown(cache)})")
    seen: dict[Path, str] = {}
    for key, path in _named_files(models, facts):
        place = _real(path)
        if place.is_relative_to(written) and not problems:
            problems.append(f"{key}: must not lie in the folder `results`, where the study writes")
        if place in seen and not key.startswith("models"):
            problems.append(f"{key}: is {seen[place]} again (found {shown(path)})")
        seen.setdefault(place, key)
    bundled = [source.bundled if isinstance(source, BundledFacts) else None for source in facts.sources]
    for number, name in enumerate(bundled):
        if name is not None and (first := bundled.index(name)) < number:
            problems.append(f"facts.sources.{number + 1}: is facts.sources.{first + 1} again (found {shown(name)})")
    return problems
