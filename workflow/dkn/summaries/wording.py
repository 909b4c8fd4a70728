"""The numbers that the captions of figures state, written in reStructuredText.

The words of the captions stand in workflow/report/*.rst, which include these numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, log10
from typing import Any

from dkn.plain_text import restructuredtext
from dkn.study.names import GROUP_WORDS, POPULATIONS, WORDS

# Every share, accuracy and detection metric is stated in per cent, and every difference between two in points, wherever
# a reader meets it. What is no share has no unit, or that of ``UNITS``.
PERCENT = (
    *("drop", "drop_per_neuron", "recovery", "share", "share_passing", "two_or_more", "coverage", "prob", "prob_gain"),
    *("accuracy", "regained", "lost", "left", "alone", "comprehensiveness", "sufficiency"),
    *("balanced_accuracy", "auroc", "f1", "precision", "recall"),
)
UNITS = {"nats": "nats", "log_prob": "nats"}
MOST_DECIMALS = 6
PARTICULARS = ("metric", "kind", "query", "split", "part", "neurons", "wording", "population")


def bullets(lines: Iterable[str]) -> str:
    """Return a reStructuredText list with an entry per line, or a sentence that says that there is nothing to state.

    The lines are plain text, whatever they hold.
    """
    return (
        "".join(f"- {restructuredtext(line, indent=2)}\n" for line in lines) or "Nothing to state: no fact is left.\n"
    )


def sized(row: Mapping[str, Any]) -> str:
    """Return how many facts, and subjects if the row has them, a number rests on."""
    subjects = row.get("subjects")
    return f"n = {int(row['facts']):,} facts" + (f" of {int(subjects):,} subjects" if subjects is not None else "")


def missing(number: float | None) -> bool:
    """Tell whether a number of a summary is missing: NaN, which JSON files hold as null."""
    return number is None or number != number


def factor(metric: str) -> int:
    """Return by how much the numbers of a metric are multiplied before they are stated."""
    return 100 if metric in PERCENT else 1


def _decimals(value: float, low: float, high: float) -> int:
    """Return so many decimals that the bounds of an interval differ in two digits; at least one, but of wide ones."""
    width = high - low if high > low else min(2 * abs(value), 50.0)
    return min(MOST_DECIMALS, max(int(width < 100), 1 - floor(log10(width / 2)))) if width > 0 else 1


def bracketed(value: float | None, low: float | None, high: float | None, metric: str = "") -> str:
    """Return a number with its interval, as every table and caption writes it: ``12.3 (10.1 … 14.5)``.

    Args:
        value: the number; None or NaN where there is no fact to compute it from.
        low, high: the bounds of its interval; None or NaN where there are too few subjects for one.
        metric: the name of its metric; metrics of ``PERCENT`` are multiplied by 100.
    """
    if value is None or missing(value):
        return "undefined"
    scale, nan = factor(metric), float("nan")
    bounds = [nan if end is None else scale * end for end in (low, high)]
    decimals = _decimals(scale * value, *bounds)
    number, *ends = (f"{part:z,.{decimals}f}" for part in (scale * value, *bounds))
    return number if any(map(missing, bounds)) else f"{number} ({' … '.join(ends)})"


def interval(
    mean: float | None, low: float | None, high: float | None, metric: str = "", difference: bool = False
) -> str:
    """Return a number with its unit and its interval in words.

    Args:
        mean, low, high, metric: as ``bracketed`` takes them.
        difference: whether it is a difference; those between shares are in points and not in per cent.
    """
    if mean is None or missing(mean):
        return "not computed, since no fact has it"
    unit = UNITS.get(metric, "")
    if metric in PERCENT:
        unit = "points" if difference else "%"
    number, bracket, rest = bracketed(mean, low, high, metric).partition(" (")
    return f"{number}{' ' if unit else ''}{unit}" + (bracket + rest or " (no interval: too few subjects)")


def compared(row: Mapping[str, Any]) -> str:
    """Return in words what a contrast subtracts from what, in which experiment, and in which metric.

    Args:
        row: a contrast of a summary, with the name of its experiment.
    """
    names = GROUP_WORDS if row["experiment"].startswith("degeneracy") else WORDS
    first, second = (names.get(row[side], row[side]) for side in ("first", "second"))
    population = row.get("population")
    in_words = {**row, "population": POPULATIONS.get(population, population) if population else None}
    particulars = ", ".join(str(in_words[name]) for name in PARTICULARS if in_words.get(name) is not None)
    return f"{first} minus {second} ({row['experiment']}: {particulars})"


def contrast(row: Mapping[str, Any]) -> str:
    """Return one difference in words: what is subtracted from what, its metric, its interval, n, and of how many runs.

    Args:
        row: a contrast of a summary, with the name of its experiment.
    """
    number = interval(row["difference"], row["low"], row["high"], row["metric"], difference=True)
    return f"{compared(row)}: {number}, {sized(row)}{_trained(row)}"


def _trained(row: Mapping[str, Any]) -> str:
    """Return how many training runs, or draws of neurons, a difference rests on, if it says so."""
    if "first_draws" in row:
        what = "draws" if row["experiment"].startswith("fact-checking") else "trainings"
        return f", {row['first_draws']} and {row['second_draws']} {what}"
    return f", {row['trainings']} trainings" if "trainings" in row else ""
