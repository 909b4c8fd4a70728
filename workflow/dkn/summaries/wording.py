"""The numbers that the captions of figures state, written in reStructuredText.

The words of the captions stand in workflow/report/*.rst, which include these numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dkn.plain_text import restructuredtext
from dkn.study.names import GROUP_WORDS, POPULATIONS, WORDS

PERCENT = ("drop", "accuracy", "regained", "share", "coverage", "left", "alone", "comprehensiveness", "sufficiency")
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


def interval(mean: float | None, low: float | None, high: float | None, metric: str = "", unit: str = "%") -> str:
    """Return a number with its interval in words.

    Args:
        mean: the number; None or NaN where there is no fact to compute it from.
        low, high: the bounds of its interval; None or NaN where there are too few subjects for one.
        metric: the name of its metric; metrics of ``PERCENT`` are shares, which are stated in per cent.
        unit: the unit that follows a share.
    """
    scale, unit = (100, f" {unit}") if metric in PERCENT else (1, "")
    if mean is None or mean != mean:
        return "not computed, since no fact has it"
    if low is None or high is None or low != low or high != high:
        return f"{scale * mean:.3g}{unit} (no interval: too few subjects)"
    return f"{scale * mean:.3g}{unit} ({scale * low:.3g} … {scale * high:.3g})"


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
    number = interval(row["difference"], row["low"], row["high"], row["metric"], "points")
    return f"{compared(row)}: {number}, {sized(row)}{_trained(row)}"


def _trained(row: Mapping[str, Any]) -> str:
    """Return how many training runs, or draws of neurons, a difference rests on, if it says so."""
    if "first_draws" in row:
        what = "draws" if row["experiment"].startswith("fact-checking") else "trainings"
        return f", {row['first_draws']} and {row['second_draws']} {what}"
    return f", {row['trainings']} trainings" if "trainings" in row else ""


def bracketed(value: float, low: float, high: float) -> str:
    """Return a value to three decimals, with its interval in brackets unless the bounds are NaN."""
    return f"{value:z.3f}" if low != low or high != high else f"{value:z.3f} [{low:z.3f}, {high:z.3f}]"
