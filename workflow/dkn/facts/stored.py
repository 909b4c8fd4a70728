"""Stored facts, joined with the table of what a model knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dkn.errors import UserError
from dkn.facts.schema import original_prompt
from dkn.storage.files import read_table
from dkn.storage.schemas import FACTS, KNOWN
from dkn.study.protocol import applied

WHICH = ("known", "unknown", "all")
WORDINGS = ("left-to-right", "original")


@dataclass(frozen=True)
class AskedFacts:
    """Which facts are asked, and in which wording.

    Attributes:
        which: ``known``, ``unknown`` or ``all`` facts.
        wording: what the column ``prompt`` holds: ``left-to-right``, the stored prompt, or ``original``, the source's
            own query as ``dkn.facts.schema.original_prompt`` cuts it, which the released code asks.

    Raises:
        UserError: a value is none of these.
    """

    which: str = "known"
    wording: str = "left-to-right"

    def __post_init__(self) -> None:
        for name, value, allowed in (("kind of facts", self.which, WHICH), ("wording", self.wording, WORDINGS)):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")

    def chosen(self, facts: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of facts that are asked; the column ``known`` says which the model knows."""
        return facts if self.which == "all" else facts[facts["known"] == (self.which == "known")]

    def worded(self, facts: pd.DataFrame) -> pd.DataFrame:
        """Return facts with the prompts of the wording."""
        return facts if self.wording == "left-to-right" else facts.assign(prompt=facts["query"].map(original_prompt))


def study_facts(facts: Path, known: Path, which: str = "known", wording: str = "left-to-right") -> pd.DataFrame:
    """Return the facts of a study joined with how a model answers them.

    Args:
        facts: the stored table of facts.
        known: the stored table of the model's answers to the same facts.
        which, wording: as ``AskedFacts`` has them.
    Returns:
        One row per fact, indexed by fact_id; columns as in ``schemas.FACTS`` and ``schemas.KNOWN``.
    Raises:
        UserError: a file is no such table, or ``which`` or the wording is unknown.
    """
    asked = AskedFacts(which, wording)
    joined = read_table(facts, FACTS).merge(read_table(known, KNOWN), on="fact_id", validate="one_to_one")
    return asked.worded(asked.chosen(joined)).set_index("fact_id", drop=False)


def facts_as_asked(facts: Path, known: Path, released: Iterable[str] | None) -> pd.DataFrame:
    """Return all facts of a study in the wording in which it asks them, as ``study_facts`` returns them.

    Args:
        facts, known: as ``study_facts`` takes them.
        released: the switches that are as in the released code.
    """
    return study_facts(facts, known, "all", applied("asked facts", AskedFacts("all"), released).wording)
