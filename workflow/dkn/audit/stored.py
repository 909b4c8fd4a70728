"""The stored audits of a study's models as tables: a row per comparison, and a row per state and claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.storage.files import read_json
from dkn.study.protocol import SWITCHES

# The main numbers in the order of the paper, and what tables and figures call them in few words.
SHORT = {
    "gap": "gap",
    "gap_beyond_control": "gap beyond random groups",
    "suppression_d": "suppression: D",
    "suppression": "suppression: D − as many of N",
    "suppression_random": "suppression: D − random",
    "enhancement": "enhancement: D − as many of N",
    "fact_checking": "F1: D − N",
    "fact_checking_complex": "F1, complex wording: D − N",
    "overlap": "overlap: D − random",
    "new_facts": "new facts: D",
    "old_facts": "old facts: D − all",
}
COUNTS = ("with_knowledge_neurons", "with_dkn", "degenerate")


def read_audits(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the stored audits, one per model."""
    return [read_json(path) for path in files]


def verdict_changes(comparison: Mapping[str, Any]) -> list[str]:
    """Return every verdict that a comparison changes, in words like ``C1 primary: supported → contradicted``."""
    return [
        f"{name.replace('/', ' ')}: {before} → {after}"
        for name, (before, after) in comparison["verdicts"].items()
        if before != after
    ]


def comparison_table(audits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return all comparisons, a row each.

    Args:
        audits: as ``read_audits`` returns them.
    Returns:
        The columns model, direction, group, switch, jaccard and jaccard_facts; for each of ``COUNTS`` its numbers
        before and after; for each main number its value before and after, its ``change`` with the bounds ``low`` and
        ``high``, and the number of ``facts``; and ``verdicts``, those that change.
    """
    rows = []
    for audit in audits:
        for comparison in audit["comparisons"]:
            row = {
                "model": audit["model"],
                "direction": comparison["direction"],
                "group": SWITCHES[comparison["switch"]].group,
                **{name: comparison[name] for name in ("switch", "jaccard", "jaccard_facts")},
            }
            for count in COUNTS:
                row |= {f"{count}_{side}": comparison[f"counts_{side}"][count] for side in ("before", "after")}
            for name, number in comparison["numbers"].items():
                row |= {f"{name}_{side}": number[side] for side in ("before", "after")}
                row |= {f"{name}_change": number["value"]}
                row |= {f"{name}_{part}": number[part] for part in ("low", "high", "facts")}
            rows.append({**row, "verdicts": "; ".join(verdict_changes(comparison))})
    return pd.DataFrame(rows)


def verdict_table(audits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the verdicts of both protocols, and of every switch flipped and mended.

    Args:
        audits: as ``read_audits`` returns them.
    Returns:
        The columns model, direction (the name of a protocol for its own verdicts), switch, claim, reading, verdict and
        changed (whether it is another one than before).
    """
    rows = []
    for audit in audits:
        for name, state in audit["states"].items():
            for key, verdict in state["verdicts"].items():
                rows.append((audit["model"], name, "", *key.split("/"), verdict, False))
        for comparison in audit["comparisons"]:
            for key, (before, after) in comparison["verdicts"].items():
                about = audit["model"], comparison["direction"], comparison["switch"]
                rows.append((*about, *key.split("/"), after, before != after))
    columns = ["model", "direction", "switch", "claim", "reading", "verdict", "changed"]
    return pd.DataFrame(rows, columns=columns)


def clearly_moved(comparison: Mapping[str, Any], numbers: Sequence[str]) -> list[str]:
    """Return those main numbers whose change has an interval that excludes zero, the largest change first."""

    def size(name: str) -> float:
        return abs(comparison["numbers"][name]["value"])

    found = [
        name
        for name in numbers
        if (number := comparison["numbers"].get(name)) is not None
        and number["low"] is not None
        and (number["low"] > 0 or number["high"] < 0)
    ]
    return sorted(found, key=size, reverse=True)


def largest_movers(
    audit: Mapping[str, Any], direction: str, numbers: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """Return the switches that move the main numbers most: those that clearly move the largest number of them.

    Of switches that move as many, those come first whose changes add up to more, each counted as 100 points at most:
    a relative drop has no bound where an answer gains.

    Args:
        audit: one model's audit.
        direction: ``flipped`` or ``mended``.
        numbers: the names of the main numbers that count.
        count: how many switches are returned at most.
    Returns:
        The comparisons of these switches, the largest first; none that clearly moves no number.
    """

    def moved(comparison: Mapping[str, Any]) -> tuple[int, float]:
        names = clearly_moved(comparison, numbers)
        return len(names), sum(min(1.0, abs(comparison["numbers"][name]["value"])) for name in names)

    chosen = [one for one in audit["comparisons"] if one["direction"] == direction and clearly_moved(one, numbers)]
    return sorted(chosen, key=moved, reverse=True)[:count]
