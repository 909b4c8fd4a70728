"""What a study found, in three small files, and how two such outcomes compare.

An outcome is a folder with ``numbers.csv``, every number of the tables of settings and of the funnel; ``verdicts.csv``;
and ``study.json``, which says what made them. Outcomes of the named studies are kept as references.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

KEY = ["table", "model", "what", "measure", "experiment", "part"]
BOUNDS = ["low", "high"]
NUMBERS = [*KEY, "value", *BOUNDS, "facts"]
VERDICT_KEY = ["claim", "reading", "model"]
DIGITS = 1e-5  # relative: the tables have six digits, whose last one may be rounded otherwise
COUNT_TOLERANCE = 0.05  # relative: of numbers without an interval, which are counts
EQUAL, WITHIN, DEPARTS, MISSING = "equal", "within", "departs", "missing"


def numbers_of(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of one table for programs, in the shape that all tables share.

    Args:
        name: the table's name.
        table: a table of a setting as ``tables/lines.py`` writes it, or the funnel.
    Returns:
        The columns ``NUMBERS``; ``what`` has the labels of the table's row. Rows without a number are left out.
    """
    if "measure" not in table:
        table = table.rename(columns={"facts": "value"}).assign(
            measure="facts", experiment=None, part="counts", low=np.nan, high=np.nan, facts=np.nan
        )
    own = ["model", "measure", "metric", "experiment", "part", "value", *BOUNDS, "p", "facts", "subjects"]
    labels = [column for column in table.columns if column not in own]
    what = table[labels].fillna("").astype(str).agg("; ".join, axis=1) if len(table) else pd.Series(dtype=str)
    return table.assign(table=name, what=what)[NUMBERS].dropna(subset=["value"]).reset_index(drop=True)


def verdicts_of(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the verdicts of ``verdicts.json`` with the columns claim, reading, model and verdict."""
    frame = pd.DataFrame([{key: row[key] for key in (*VERDICT_KEY, "verdict")} for row in rows])
    return frame.assign(model=frame["model"].fillna("all models"))


def _outcome(row: Any) -> str:
    if row.value != row.value or row.value_here != row.value_here:
        return MISSING
    if abs(row.value_here - row.value) <= DIGITS * abs(row.value) + 1e-12:
        return EQUAL
    inside = row.low <= row.value_here <= row.high
    if row.low != row.low:
        inside = abs(row.value_here - row.value) <= COUNT_TOLERANCE * abs(row.value)
    return WITHIN if inside else DEPARTS


def compared_numbers(reference: pd.DataFrame, here: pd.DataFrame) -> pd.DataFrame:
    """Compare every number of a study with that of its reference.

    Args:
        reference, here: the columns ``NUMBERS``.
    Returns:
        The columns of ``KEY``, the reference's value, low and high, ``value_here``, and ``outcome``: ``equal`` to six
        digits; ``within`` the reference's interval, or of a number without one within 5 per cent of it; ``departs``; or
        ``missing`` in one of the two. What departs most, in widths of the interval, comes first.
    """
    keyed = [frame.astype(dict.fromkeys(KEY, str)) for frame in (reference, here)]
    both = keyed[0].merge(keyed[1][[*KEY, "value"]], "outer", KEY, suffixes=("", "_here"), validate="one_to_one")
    both["outcome"] = [_outcome(row) for row in both.itertuples(index=False)]
    width = (both["high"] - both["low"]).where(lambda width: width > 0, both["value"].abs())
    order = pd.DataFrame(
        {
            "outcome": both["outcome"].map([MISSING, DEPARTS, WITHIN, EQUAL].index),
            "distance": -((both["value_here"] - both["value"]).abs() / width).replace(np.inf, np.nan).fillna(0.0),
        }
    ).sort_values(["outcome", "distance"], kind="stable")
    return both.loc[order.index, [*KEY, "value", *BOUNDS, "value_here", "outcome"]].reset_index(drop=True)


def compared_verdicts(reference: pd.DataFrame, here: pd.DataFrame) -> pd.DataFrame:
    """Return every verdict that differs, with the columns claim, reading, model, verdict and ``verdict_here``."""
    both = reference.merge(here, "outer", VERDICT_KEY, suffixes=("", "_here"), validate="one_to_one")
    both = both.fillna({"verdict": MISSING, "verdict_here": MISSING})
    return both[both["verdict"] != both["verdict_here"]].reset_index(drop=True)


def differing(reference: Mapping[str, Any], here: Mapping[str, Any], where: str = "") -> list[str]:
    """Return the keys, with dots, whose values differ between two nested settings."""
    keys = dict.fromkeys([*reference, *here])
    found = []
    for key in keys:
        one, other = (settings.get(key, MISSING) for settings in (reference, here))
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differing(one, other, f"{where}{key}.")
        elif one != other:
            found.append(where + key)
    return found


def sentence(name: str, numbers: pd.DataFrame, verdicts: pd.DataFrame, judged: int) -> str:
    """Say in one sentence whether a run reproduces its reference.

    Args:
        name: the reference's name.
        numbers, verdicts: as ``compared_numbers`` and ``compared_verdicts`` return them.
        judged: how many verdicts the reference has.
    """
    counts = numbers["outcome"].value_counts()
    equal, within, departs, missing = (int(counts.get(outcome, 0)) for outcome in (EQUAL, WITHIN, DEPARTS, MISSING))
    does = "reproduces" if not (departs or missing or len(verdicts)) else "does not reproduce"
    parts = [f"{equal:,} of {len(numbers):,} numbers are equal to six digits"]
    parts += [f"{within:,} lie within the reference's intervals"] if within else []
    parts += [f"{departs:,} depart"] if departs else []
    parts += [f"{missing:,} are in one of the two alone"] if missing else []
    changed = f"{len(verdicts)} of {judged} verdicts differ"
    parts.append(changed if len(verdicts) else f"all {judged} verdicts are equal")
    return f"This run {does} the reference {name!r}: {', '.join(parts)}."
