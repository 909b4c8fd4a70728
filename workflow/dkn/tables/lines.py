"""The tables of the paper's settings: a row per model and condition, estimates with intervals.

Every such table is a module that lists where its numbers are (``Line``). A table is made twice. Long: one row per
number, for programs. Wide: a row per model and condition and a column per measure, in words, for people. All three
formats of a table come from these two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.paper.contrasts import adjusted
from dkn.summaries.stored import only_match
from dkn.summaries.wording import bracketed
from dkn.tables.saving import save

Summaries = Mapping[str, Mapping[str, Any]]  # one model's, by experiment
NUMBERS = ["value", "low", "high", "p", "facts", "subjects"]
MISSING = "not run"


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


Lines = Callable[[Summaries], Iterator[Line]]


def difference(labels: dict[str, str], measure: str, experiment: str, where: Mapping[str, Any]) -> Line:
    """The line of a contrast, first minus second."""
    return Line(labels, measure, experiment, "contrasts", where, "difference")


def _numbers(line: Line, summaries: Summaries) -> dict[str, Any] | None:
    """A line's numbers; None where the summary has no such row.

    Raises:
        ValueError: several rows match.
    """
    row = only_match(summaries[line.experiment].get(line.part, []), line.where)
    if row is None or row[line.value] is None:
        return None
    shared = {key: row.get(key) for key in ("low", "high", "facts", "subjects")}
    return {"value": row[line.value], **shared, "p": row.get("p_holm")}


def long_table(lines: Lines, models: Mapping[str, Summaries]) -> pd.DataFrame:
    """One row per number: model, the labels of its row, measure, experiment, part of its summary, and ``NUMBERS``.

    Args:
        lines: of the table.
        models: summaries by model and experiment. A model without any number has one row that says why.

    p is adjusted by Holm over the setting's contrasts, not over one summary's.
    """
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for model, stored in models.items():
        summaries, found = adjusted(stored), []
        for line in lines(summaries):
            labels = list(line.labels)
            numbers = _numbers(line, summaries)
            if numbers is not None:
                about = {"measure": line.measure, "experiment": line.experiment, "part": line.part}
                found.append({"model": model, **line.labels, **about, **numbers})
        reasons = [summary["not_run"] for summary in summaries.values() if summary.get("not_run")]
        rows += found or [{"model": model, "measure": ": ".join([MISSING, *reasons[:1]])}]
    frame = pd.DataFrame(rows, columns=["model", *labels, "measure", "experiment", "part", *NUMBERS])
    return frame.astype(dict.fromkeys(NUMBERS[:4], float))


def _cell(row: Any, facts: str) -> str:
    """One number in words; a contrast over other facts than its row's estimates says over how many."""
    if row.part == "sets":
        return f"{int(row.value):,}"
    text = bracketed(row.value, row.low, row.high)
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


def write(title: str, lines: Lines, models: Mapping[str, Summaries], confidence: float, csv: Path) -> None:
    """Write a table in all formats.

    Args:
        title: what the table shows, in words.
        lines: of the table.
        models: summaries by model and experiment.
        confidence: of the intervals, for the caption.
        csv: the file; the others have its name.
    """
    table = long_table(lines, models)
    caption = (
        f"{title}. Means over n facts with {100 * confidence:g} % intervals (bootstrap over subjects); "
        "p: sign flips over subjects, adjusted by Holm. D: degenerate knowledge neurons, N: knowledge neurons."
    )
    save(table, wide_table(table), caption, csv)
