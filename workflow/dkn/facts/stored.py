"""Stored facts read again: as objects, or joined with what a model makes of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dkn.facts.schema import Fact
from dkn.storage.files import read_table
from dkn.storage.schemas import FACTS, KNOWN


def read_facts_table(path: Path) -> list[Fact]:
    """The stored facts as objects; a missing date is None again."""
    table = read_table(path, FACTS)
    table["date"] = table["date"].astype(object).where(table["date"].notna(), None)
    return [
        Fact(**{**row, "answers": tuple(row["answers"]), "paraphrases": tuple(row["paraphrases"])})
        for row in table.to_dict("records")
    ]


def study_facts(facts: Path, known: Path, which: str = "known") -> pd.DataFrame:
    """Facts joined with what the model makes of them; ``which`` is known, unknown or all. Indexed by fact_id."""
    joined = read_table(facts, FACTS).merge(read_table(known, KNOWN), on="fact_id", validate="one_to_one")
    if which != "all":
        joined = joined[joined["known"] == (which == "known")]
    return joined.set_index("fact_id", drop=False)
