"""The tables of the paper's settings, from stored summaries: a row per model and condition, estimates with intervals.

A table is made twice. Long: one row per number, for reading by programs. Wide: a row per model and condition and a
column per measure, in words, for people; all three formats of a table come from these two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dkn.contrasts import adjusted
from dkn.experiments.names import (
    ALL,
    DKN,
    KN,
    MATCHED,
    NEURON_SETS,
    ORIGINAL,
    PERTURBED,
    RANDOM,
    RANDOM_KN,
    SELECTIONS,
    SPLITS,
    TESTED_CONTROL,
)
from dkn.experiments.registry import INTERVENTIONS
from dkn.perturbations import PERTURBATIONS

Summaries = Mapping[str, Mapping[str, Any]]  # one model's, by experiment
NUMBERS = ["value", "low", "high", "p", "facts", "subjects"]
MISSING = "not run"
NAMES = {
    DKN: "D",
    KN: "N",
    "kn-matched": "N, as many as D",
    RANDOM: "random, as many as D",
    MATCHED: "random, as active as D",
    RANDOM_KN: "random, as many as N",
    ALL: "all parameters",
    "plm": "the model, asked",
    "answer-prob": "Prob of the answer",
}


@dataclass(frozen=True)
class Line:
    """Where one number of a table is.

    Attributes:
        labels: what its row is about, in words, in the order of the table's columns.
        measure: its column.
        experiment: whose summary has it.
        part: of the summary: estimates, contrasts (a difference with a p), or sets (a count, under ``value``).
        where: the values that pick the row there.
        value: the key of the number there.
    """

    labels: dict[str, str]
    measure: str
    experiment: str
    part: str
    where: Mapping[str, Any]
    value: str = "mean"


def _difference(labels: dict[str, str], measure: str, experiment: str, where: Mapping[str, Any]) -> Line:
    return Line(labels, measure, experiment, "contrasts", where, "difference")


def _degeneracy(summaries: Summaries) -> Iterator[Line]:
    groupings = [summary["grouping"] for name, summary in summaries.items() if name.startswith("degeneracy-")]
    for selection, title in SELECTIONS.items():
        for grouping in groupings:
            name = "random groups that pass the test" if grouping == TESTED_CONTROL else grouping
            labels = {"components": title, "grouping": name}
            about = {"selection": selection, "grouping": grouping, "metric": "drop"}
            for kind in ("partial", "full"):
                yield Line(labels, f"{kind} drop", f"degeneracy-{grouping}", "estimates", {**about, "kind": kind})
            for kind, measure in (("gap", "full minus partial"), ("gap_beyond_control", "beyond the control")):
                yield Line(labels, measure, "degeneracy", "estimates", {**about, "kind": kind})


def _perturbation(setting: str, estimate: str, contrast: str, words: tuple[str, str]) -> Callable[..., Iterator[Line]]:
    def lines(_: Summaries) -> Iterator[Line]:
        queries = {
            ORIGINAL: "original",
            **{name: f"word: {name}" for name in PERTURBATIONS},
            PERTURBED: "perturbed, mean",
        }
        for query, title in queries.items():
            for name in (DKN, KN, "kn-matched", RANDOM):
                labels = {"query": title, "neurons": NAMES[name]}
                for kind in INTERVENTIONS:
                    where = {"query": query, "neuron_set": name, "metric": estimate}
                    yield Line(labels, f"{words[0]}, {kind}", f"{setting}-{kind}", "estimates", where)
                for kind in INTERVENTIONS:
                    where = {"query": query, "first": DKN, "second": name, "metric": contrast}
                    yield _difference(labels, f"{words[1]}, {kind}", f"{setting}-{kind}", where)

    return lines


def _fact_checking(_: Summaries) -> Iterator[Line]:
    whose = {"own": "found with the true answer", "relation": "of the relation", "none": "none"}
    homes = {DKN: DKN, KN: KN, RANDOM: DKN, "plm": "plm", "answer-prob": "plm"}
    for wording in ("triple", "complex"):
        for neurons, title in whose.items():
            for detector, home in homes.items():
                labels = {"wording": wording, "neurons": title, "detector": NAMES[detector]}
                about = {"detector": detector, "neurons": neurons, "wording": wording}
                for metric, measure in (
                    ("precision", "precision"),
                    ("recall", "recall"),
                    ("f1", "F1"),
                    ("auroc", "AUROC"),
                ):
                    yield Line(labels, measure, f"fact-checking-{home}", "estimates", {**about, "metric": metric})
                where = {"first": DKN, "second": detector, "neurons": neurons, "wording": wording, "metric": "f1"}
                yield _difference(labels, "D minus it, F1", "fact-checking-dkn", where)


def _overlap(_: Summaries) -> Iterator[Line]:
    measures = {"share": "share among the most changed", "auroc": "AUROC of the change"}
    changes = {
        "both": "relative",
        "absolute": "absolute",
        "reading": "of reading vectors",
        "writing": "of writing vectors",
    }
    for part, title in changes.items():
        for name in (DKN, KN, RANDOM, MATCHED):
            labels = {"change": title, "neurons": NAMES[name]}
            for metric, measure in measures.items():
                where = {"neuron_set": name, "part": part, "metric": metric}
                yield Line(labels, measure, "overlap-fine-tuning", "estimates", where)
            for metric, measure in (("share", "D minus it, share"), ("auroc", "D minus it, AUROC")):
                where = {"first": DKN, "second": name, "part": part, "metric": metric}
                yield _difference(labels, measure, "overlap-fine-tuning", where)


def _fine_tuning(_: Summaries) -> Iterator[Line]:
    for split, title in SPLITS.items():
        for name in NEURON_SETS:
            labels = {"questions": title, "trained": NAMES[name]}
            experiment = "fine-tuning-random" if name == RANDOM_KN else f"fine-tuning-{name}"
            for metric, measure in (("accuracy", "accuracy"), ("prob", "Prob")):
                where = {"neuron_set": name, "split": split, "metric": metric}
                yield Line(labels, measure, experiment, "estimates", where)
            where = {"first": DKN, "second": name, "split": split, "metric": "accuracy"}
            yield _difference(labels, "D minus it, accuracy", "fine-tuning-dkn", where)
            first = {"neuron_set": name, "draw": 0}
            yield Line(labels, "trained parameters", experiment, "sets", first, "trained_parameters")


@dataclass(frozen=True)
class Table:
    """One setting's table: its title, and the lines it has for a model's summaries."""

    title: str
    lines: Callable[[Summaries], Iterator[Line]]


TABLES = {
    "degeneracy": Table(
        "Degeneracy: drop in Prob when some (partial) or all (full) of a fact's components are suppressed; beyond the "
        "control: full minus partial, minus the same for random groups of the same sizes",
        _degeneracy,
    ),
    "suppression": Table(
        "Suppression: drop in Prob on original and perturbed queries",
        _perturbation("suppression", "drop", "drop", ("drop", "D minus it")),
    ),
    "enhancement": Table(
        "Enhancement: share of queries answered wrongly before and rightly after neurons are enhanced (regained); "
        "differences are of accuracy",
        _perturbation("enhancement", "regained", "accuracy", ("regained", "D minus it, accuracy")),
    ),
    "fact-checking": Table(
        "Fact-checking: true statements told from false ones, at the threshold of the training split", _fact_checking
    ),
    "overlap": Table(
        "Overlap: a fact's neurons among those that full fine-tuning changes most, as many as all degenerate knowledge "
        "neurons, and the change as a detector of them",
        _overlap,
    ),
    "fine-tuning": Table(
        "Fine-tuning: greedy accuracy and Prob of the answer at the chosen epoch, by what was trained", _fine_tuning
    ),
}


def _numbers(line: Line, summaries: Summaries) -> dict[str, Any] | None:
    """A line's numbers; None where the summary has no such row.

    Raises:
        ValueError: several rows match.
    """
    rows = summaries[line.experiment].get(line.part, [])
    found = [row for row in rows if all(row.get(key) == wanted for key, wanted in line.where.items())]
    if len(found) > 1:
        raise ValueError(f"{line.experiment}: {len(found)} {line.part} match {dict(line.where)}")
    if not found or found[0][line.value] is None:
        return None
    row = found[0]
    shared = {key: row.get(key) for key in ("low", "high", "facts", "subjects")}
    return {"value": row[line.value], **shared, "p": row.get("p_holm")}


def long_table(setting: str, models: Mapping[str, Summaries]) -> pd.DataFrame:
    """One row per number: model, the labels of its row, measure, experiment, part of its summary, and ``NUMBERS``.

    Args:
        setting: a key of ``TABLES``.
        models: summaries by model and experiment. A model without any number has one row that says why.

    p is adjusted by Holm over the setting's contrasts, not over one summary's.
    """
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for model, stored in models.items():
        summaries, found = adjusted(stored), []
        for line in TABLES[setting].lines(summaries):
            labels = list(line.labels)
            numbers = _numbers(line, summaries)
            if numbers is not None:
                about = {"measure": line.measure, "experiment": line.experiment, "part": line.part}
                found.append({"model": model, **line.labels, **about, **numbers})
        reasons = [summary["not_run"] for summary in summaries.values() if summary.get("not_run")]
        rows += found or [{"model": model, "measure": ": ".join([MISSING, *reasons[:1]])}]
    frame = pd.DataFrame(rows, columns=["model", *labels, "measure", "experiment", "part", *NUMBERS])
    return frame.astype(dict.fromkeys(NUMBERS[:4], float))


def interval(value: float, low: float, high: float) -> str:
    """A value with its interval, if there is one, to three decimals."""
    return f"{value:z.3f}" if low != low or high != high else f"{value:z.3f} [{low:z.3f}, {high:z.3f}]"


def _cell(row: Any, facts: str) -> str:
    """One number in words; a contrast over other facts than its row's estimates says over how many."""
    if row.part == "sets":
        return f"{int(row.value):,}"
    text = interval(row.value, row.low, row.high)
    if row.part == "contrasts":
        text += f", p = {row.p:.2g}" if row.p == row.p else ""
        text += f", n = {int(row.facts)}" if str(int(row.facts)) != facts else ""
    return text


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row per model and condition, a column of text per measure, and n: over how many facts the estimates are.

    Args:
        table: as ``long_table`` returns it.
    """
    labels = list(table.columns[: table.columns.get_loc("measure")])
    run = table[table["part"].notna()]
    measures = list(dict.fromkeys(run["measure"]))
    rows = []
    for names, part in table.groupby(labels, sort=False, dropna=False):
        estimates = part[part["part"] == "estimates"]
        counts = sorted(set(estimates["facts"].dropna().astype(int)))
        facts = " to ".join(str(count) for count in dict.fromkeys(counts[:1] + counts[-1:]))
        cells = {row.measure: _cell(row, facts) for row in part.itertuples(index=False) if row.measure in measures}
        about = dict(zip(labels, names, strict=True))
        if not cells:
            about[labels[1]] = part["measure"].iloc[0]
        rows.append({**about, **cells, "n": facts})
    frame = pd.DataFrame(rows, columns=[*labels, *measures, "n"], dtype=object)
    return frame.fillna(dict.fromkeys(labels, "")).set_index(labels)


def wide_contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """All contrasts of a study in words, a row each.

    Args:
        table: of ``contrasts.of_model``, of one or more models.
    """
    words = table[["model", "setting", "experiment", "first", "second", "of"]].copy()
    words["first minus second"] = [interval(row.difference, row.low, row.high) for row in table.itertuples(index=False)]
    for name in ("p", "p_holm"):
        words[name] = [f"{p:.2g}" if p == p else None for p in table[name].astype(float)]
    words["n"] = table["facts"].astype(str)
    return words.set_index(list(words.columns[:6]))
