"""Models of one entry whose summaries hold everything that is combined over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dkn.paper.seeds import main_numbers
from dkn.storage.files import write_json
from dkn.summaries.seeds import CONTRASTS, ESTIMATES, VALUE

Summaries = dict[str, dict[str, list[dict[str, Any]]]]


def summaries(value: float, error: float = 0.01, subjects: int = 40) -> Summaries:
    """One model's summaries, in which every main number has this value."""
    found: Summaries = {}
    reach = {"low": value - 2 * error, "high": value + 2 * error, "se": error, "df": subjects - 1.0}
    counts = {"p": 0.001, "facts": 2 * subjects, "subjects": subjects}
    for number in main_numbers():
        lists = found.setdefault(number.experiment, {ESTIMATES: [], CONTRASTS: []})
        lists[number.part].append({**number.where, VALUE[number.part]: value, **reach, **counts})
    return found


def write_models(folder: Path, found: Mapping[str, Summaries]) -> list[str]:
    """Write the summaries of models as a study stores them; the names of their experiments."""
    for model, content in found.items():
        for experiment, lists in content.items():
            home = folder / model / "experiments" / experiment
            if experiment == "degeneracy":
                comparison = {"model": model, "groupings": [], "functional_test": {}, "degeneracy": lists}
                write_json(home / "comparison.json", comparison)
            else:
                write_json(home / "summary.json", {"model": model, "experiment": experiment, **lists})
    return sorted({name for content in found.values() for name in content} - {"degeneracy"})


def simulated(draw: np.random.Generator, mean: float, spread: float, seeds: int = 5) -> dict[str, Summaries]:
    """Models in which every number is drawn, with a true value per seed that is ``spread`` from the mean."""
    found = models([0.0] * seeds, error=0.02)
    for content in found.values():
        for row in (row for lists in content.values() for rows in lists.values() for row in rows):
            value = mean + spread * draw.normal() + row["se"] * draw.normal()
            name = VALUE[CONTRASTS] if VALUE[CONTRASTS] in row else VALUE[ESTIMATES]
            row |= {name: value, "low": value - 2 * row["se"], "high": value + 2 * row["se"]}
    return found


def models(values: Sequence[float], **numbers: Any) -> dict[str, Summaries]:
    """A model per value, named as the models of an entry are."""
    return {f"nano-s{at}" if at else "nano": summaries(value, **numbers) for at, value in enumerate(values)}
