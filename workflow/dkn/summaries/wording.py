"""What the captions of figures state in numbers, as reStructuredText; their words stand in workflow/report/*.rst."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dkn.study.names import GROUP_WORDS, WORDS

PERCENT = ("drop", "accuracy", "regained", "share", "coverage")
PARTICULARS = ("metric", "kind", "query", "split", "part", "neurons", "wording")


def escaped(text: str) -> str:
    """Text without a meaning in reStructuredText: names of models and facts, queries with a star."""
    return re.sub(r"([\\*_`|])", r"\\\1", text)


def bullets(lines: Iterable[str]) -> str:
    """A list, an entry per line."""
    return "".join(f"- {escaped(line)}\n" for line in lines) or "Nothing to state: no fact is left.\n"


def sized(row: Mapping[str, Any]) -> str:
    """How much a number rests on."""
    subjects = row.get("subjects")
    return f"n = {int(row['facts']):,} facts" + (f" of {int(subjects):,} subjects" if subjects is not None else "")


def interval(mean: float, low: float | None, high: float | None, metric: str = "", unit: str = "%") -> str:
    """A number with its interval, in per cent where its metric is a share; too few subjects give no interval."""
    scale, unit = (100, f" {unit}") if metric in PERCENT else (1, "")
    if low is None or high is None or low != low or high != high:
        return f"{scale * mean:.3g}{unit} (no interval: too few subjects)"
    return f"{scale * mean:.3g}{unit} ({scale * low:.3g} … {scale * high:.3g})"


def contrast(row: Mapping[str, Any]) -> str:
    """One difference in words: what minus what, by which metric, with interval and n."""
    names = GROUP_WORDS if row["experiment"].startswith("degeneracy") else WORDS
    first, second = (names.get(row[side], row[side]) for side in ("first", "second"))
    particulars = ", ".join(str(row[name]) for name in PARTICULARS if row.get(name) is not None)
    number = interval(row["difference"], row["low"], row["high"], row["metric"], "points")
    return f"{first} minus {second} ({row['experiment']}: {particulars}): {number}, {sized(row)}"


def bracketed(value: float, low: float, high: float) -> str:
    """A value with its interval, if there is one, to three decimals."""
    return f"{value:z.3f}" if low != low or high != high else f"{value:z.3f} [{low:z.3f}, {high:z.3f}]"
