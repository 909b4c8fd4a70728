"""The tables of the paper's settings, which state estimates with intervals.

The module of such a table lists the places of its numbers in the summaries (``Line``). From this list a table is made
in two shapes. The long table is for programs: it has one row per number, and is written as CSV. The wide table is for
readers: it has a row per model and condition and a column of text per measure, and is written as Markdown and LaTeX.
There shares are in per cent and their differences in points, as in the captions of figures.
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

Summaries = Mapping[str, Mapping[str, Any]]  # one model's summaries, by experiment
MEASURED = ["measure", "metric", "experiment", "part"]
NUMBERS = ["value", "low", "high", "p", "facts", "subjects"]
OVER_FACTS = "p: sign flips over subjects, adjusted by Holm"
OVER_DRAWS = (
    "differences: intervals and p of a t distribution over subjects and draws, p adjusted by Holm over those fixed in "
    "advance, and apart from them over all others"
)
IN_POINTS = (
    "Shares, accuracies, Prob and detection metrics in per cent, their differences in points (hundredths), "
    "changes of log Prob in nats"
)
NOT_RUN, NO_FACT = "not run: ", "nothing to state: no fact is left to measure it on"


@dataclass(frozen=True)
class Line:
    """The place of one number, in the summaries and in the wide table.

    Attributes:
        labels: the labels of the number's row in the table, by column, in the order of the columns.
        measure: the number's column in the table.
        experiment: the experiment whose summary holds the number.
        part: the list of the summary that holds it: estimates, contrasts (differences with p) or sets (counts).
        where: the values that pick its row in that list.
        value: its key in that row.
    """

    labels: dict[str, str]
    measure: str
    experiment: str
    part: str
    where: Mapping[str, Any]
    value: str = "mean"

    @property
    def metric(self) -> str:
        """The name of the number's metric, which says in what unit it is stated."""
        return self.where.get("metric") or self.where.get("measure") or ""


Lines = Callable[[Summaries], Iterator[Line]]


def difference(labels: dict[str, str], measure: str, experiment: str, where: Mapping[str, Any]) -> Line:
    """Return the line of a contrast, first minus second.

    Args:
        labels, measure: the number's row and column in the table.
        experiment: the experiment whose summary holds the contrast.
        where: the values that pick its row among the contrasts.
    """
    return Line(labels, measure, experiment, "contrasts", where, "difference")


def _numbers(line: Line, summaries: Summaries) -> dict[str, Any] | None:
    """Return the numbers of a line, or None where the summary has no such row.

    Raises:
        ValueError: several rows match.
    """
    row = only_match(summaries[line.experiment].get(line.part, []), line.where)
    if row is None or row[line.value] is None:
        return None
    shared = {key: row.get(key) for key in ("low", "high", "facts", "subjects")}
    return {"value": row[line.value], **shared, "p": row.get("p_holm")}


def long_table(lines: Lines, models: Mapping[str, Summaries]) -> pd.DataFrame:
    """Return the long table: one row per number.

    p is adjusted by Holm's method over the contrasts of the whole setting, not over those of one summary.

    Args:
        lines: a function from a model's summaries to the lines of the table.
        models: the summaries by model and experiment. A model without any number has one row, which says why.
    Returns:
        The columns model, the labels, ``MEASURED``, and ``NUMBERS``, of which shares are between 0 and 1.
    Raises:
        ValueError: several rows of a summary match one line.
    """
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for model, stored in models.items():
        summaries, numbers_of_model = adjusted(stored), []
        for line in lines(summaries):
            labels = list(line.labels)
            numbers = _numbers(line, summaries)
            if numbers is not None:
                about = {name: getattr(line, name) for name in MEASURED}
                numbers_of_model.append({"model": model, **line.labels, **about, **numbers})
        reasons = [NOT_RUN + summary["not_run"] for summary in summaries.values() if summary.get("not_run")]
        rows += numbers_of_model or [{"model": model, "measure": next(iter(reasons), NO_FACT)}]
    frame = pd.DataFrame(rows, columns=["model", *labels, *MEASURED, *NUMBERS])
    return frame.astype(dict.fromkeys(NUMBERS[:4], float))


def _cell(row: Any, facts: str) -> str:
    """Return one number in words; a contrast states its n where that differs from the n of its row (``facts``)."""
    if row.part == "sets":
        return f"{row.value:,.15g}"
    text = bracketed(row.value, row.low, row.high, row.metric)
    if row.part == "contrasts":
        text += f", p = {row.p:.2g}" if row.p == row.p else ""
        text += f", n = {int(row.facts)}" if str(int(row.facts)) != facts else ""
    return text


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the wide table: a row per model and condition, a column of text per measure, and n.

    The column n states over how many facts the estimates of the row are.

    Args:
        table: as ``long_table`` returns it.
    Returns:
        A table that is indexed by its labels.
    """
    labels = list(table.columns[: table.columns.get_loc("measure")])
    run = table[table["part"].notna()]
    measures = list(dict.fromkeys(run["measure"]))
    rows = []
    for names, condition in table.groupby(labels, sort=False, dropna=False):
        estimates = condition[condition["part"] == "estimates"]
        counts = sorted(set(estimates["facts"].dropna().astype(int)))
        facts = " to ".join(str(count) for count in dict.fromkeys(counts[:1] + counts[-1:]))
        cells = {row.measure: _cell(row, facts) for row in condition.itertuples(index=False) if row.measure in measures}
        about = dict(zip(labels, names, strict=True))
        if not cells:
            about[labels[1]] = condition["measure"].iloc[0]
        rows.append({**about, **cells, "n": facts})
    frame = pd.DataFrame(rows, columns=[*labels, *measures, "n"], dtype=object)
    return frame.fillna(dict.fromkeys(labels, "")).set_index(labels)


def write(
    title: str,
    lines: Lines,
    models: Mapping[str, Summaries],
    confidence: float,
    csv: Path,
    differences: str = OVER_FACTS,
) -> None:
    """Write a table as CSV, Markdown and LaTeX.

    Args:
        title: what the table shows, in words.
        lines: a function from a model's summaries to the lines of the table.
        models: the summaries by model and experiment.
        confidence: the confidence of the intervals, between 0 and 1, which the caption states.
        csv: the CSV to write; the other files have the same name with another suffix.
        differences: how the intervals and p of differences are computed.
    """
    table = long_table(lines, models)
    caption = (
        f"{title}. Means over n facts with {100 * confidence:g} % intervals (bootstrap over subjects); "
        f"{differences}. {IN_POINTS}. D: degenerate knowledge neurons, N: knowledge neurons."
    )
    save(table, wide_table(table), caption, csv)
