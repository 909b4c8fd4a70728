"""The models of one entry, which differ in the seed of their training, as one: a meta-analysis of their main numbers.

The main numbers are the contrasts that the claims need and those whose growth with model size is examined
(docs/method.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from dkn.paper.claims import CLAIMS, READINGS
from dkn.paper.model_size import METRICS
from dkn.statistics.meta_analysis import combine
from dkn.summaries.seeds import CONTRASTS, ESTIMATES, VALUE
from dkn.summaries.stored import only_match
from dkn.summaries.wording import compared, missing

Summaries = Mapping[str, Mapping[str, Any]]  # one model's summaries, by experiment
MAIN_NUMBERS = "main numbers"


@dataclass(frozen=True)
class MainNumber:
    """The place of a number in the summaries of a model.

    Attributes:
        needed_by: the claims that need it and their readings, as in ``C1 (primary)``, or ``MAIN_NUMBERS``.
        words: what it is, in words.
        part: the list of the summary that holds it: ``ESTIMATES`` or ``CONTRASTS``.
        experiment: the experiment whose summary holds it.
        where: the values that pick its row in that list.
    """

    needed_by: str
    words: str
    part: str
    experiment: str
    where: Mapping[str, str]


def main_numbers() -> Iterator[MainNumber]:
    """Yield the contrasts that the claims need, each of them once, and the main number of every setting."""
    needed: dict[tuple[Any, ...], list[str]] = {}
    for claim, reading in product(CLAIMS, READINGS):
        for evidence in claim.evidence(reading):
            key = (evidence.experiment, *sorted(evidence.where.items()))
            needed.setdefault(key, []).append(f"{claim.name} ({reading})")
    for (experiment, *pairs), claims in needed.items():
        where = dict(pairs)
        yield MainNumber(", ".join(claims), compared({"experiment": experiment, **where}), CONTRASTS, experiment, where)
    for metric in METRICS:
        yield MainNumber(MAIN_NUMBERS, metric.label, ESTIMATES, metric.experiment, metric.where)


def together(entry: str) -> str:
    """Return what the models of an entry are called together, in verdicts for example."""
    return f"{entry}, over seeds"


def _of_seed(number: MainNumber, model: str, summaries: Summaries, minimum_subjects: int) -> dict[str, Any] | None:
    """Return a model's number, or None where it has none with an interval over enough subjects."""
    row = only_match(summaries.get(number.experiment, {}).get(number.part, []), number.where)
    if row is None or row["subjects"] < minimum_subjects or missing(row["low"]) or missing(row["se"]):
        return None
    shared = {name: row[name] for name in ("se", "df", "low", "high", "facts", "subjects")}
    return {"model": model, "value": row[VALUE[number.part]], **shared}


def combined(
    entry: str, models: Mapping[str, Summaries], confidence: float, minimum_subjects: int
) -> list[dict[str, Any]]:
    """Return every main number of an entry's models and their combination.

    Args:
        entry: the name of the entry.
        models: the summaries by model and experiment; ``degeneracy`` is the comparison of all groupings.
        confidence: the confidence of the intervals, between 0 and 1.
        minimum_subjects: a model whose number rests on fewer subjects counts as one without it.
    Returns:
        For each main number: the attributes of its ``MainNumber``, ``entry``, ``name`` (as ``together`` gives it),
        ``models`` (how many the entry has), ``not_run`` (whether its experiment was run for none of them), ``seeds``
        (the number of every model that has it, with its interval), and the combination: value, se, df, low, high, p,
        tau, i2, replicates (how many models have it), and as facts and subjects those of the model with the fewest.
    Raises:
        ValueError: several rows of a summary match one number.
    """
    rows = []
    for number in main_numbers():
        found = [_of_seed(number, model, summaries, minimum_subjects) for model, summaries in models.items()]
        seeds = [seed for seed in found if seed is not None]
        combination = combine([seed["value"] for seed in seeds], [seed["se"] for seed in seeds], confidence).as_dict()
        fewest = {name: min((seed[name] for seed in seeds), default=0) for name in ("facts", "subjects")}
        place = {**vars(number), "where": dict(number.where)}
        of_experiment = [summaries.get(number.experiment, {"not_run": "no summary"}) for summaries in models.values()]
        not_run = all(summary.get("not_run") for summary in of_experiment)
        about = {"entry": entry, "name": together(entry), "models": len(models), "not_run": not_run, **place}
        rows.append({**about, "value": combination.pop("mean"), **combination, **fewest, "seeds": seeds})
    return rows
