"""Stored facts, joined with the table of what a model knows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dkn.errors import UserError
from dkn.facts.schema import original_prompt
from dkn.storage.files import read_table
from dkn.storage.schemas import FACTS, KNOWN

WORDINGS = ("left-to-right", "original")


def study_facts(facts: Path, known: Path, which: str = "known", wording: str = "left-to-right") -> pd.DataFrame:
    """Return the facts of a study joined with how a model answers them.

    Args:
        facts: the stored table of facts.
        known: the stored table of the model's answers to the same facts.
        which: ``known``, ``unknown`` or ``all`` facts.
        wording: what the column ``prompt`` holds: ``left-to-right``, the stored prompt, or ``original``, the source's
            own query as ``dkn.facts.schema.original_prompt`` cuts it.
    Returns:
        One row per fact, indexed by fact_id; columns as in ``schemas.FACTS`` and ``schemas.KNOWN``.
    Raises:
        UserError: a file is no such table, or the wording is unknown.
    """
    if wording not in WORDINGS:
        raise UserError(f"unknown wording {wording!r}; allowed: {', '.join(WORDINGS)}")
    joined = read_table(facts, FACTS).merge(read_table(known, KNOWN), on="fact_id", validate="one_to_one")
    if which != "all":
        joined = joined[joined["known"] == (which == "known")]
    if wording == "original":
        joined = joined.assign(prompt=joined["query"].map(original_prompt))
    return joined.set_index("fact_id", drop=False)
