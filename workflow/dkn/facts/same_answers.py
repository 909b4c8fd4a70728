"""Which answers mean the same: those of one spelling, whatever its capitals, and those of one Wikidata id."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import pandas as pd


def folded(name: str) -> str:
    """Return a name without the difference between capitals and small letters, in Unicode's composed form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class SameAnswers:
    """The names and the Wikidata ids of all answers of some facts.

    A name that one fact gives an id has this id in every fact, so that an answer without an id is known as well.
    """

    def __init__(self, facts: pd.DataFrame):
        """Gather them from the columns ``answers`` and ``answer_ids`` of ``schemas.FACTS``."""
        self._ids: dict[str, set[str]] = defaultdict(set)
        for names, ids in zip(facts["answers"], facts["answer_ids"], strict=True):
            for name, wikidata_id in zip(names, ids, strict=True):
                if wikidata_id:
                    self._ids[folded(name)].add(wikidata_id)

    def others(self, candidates: Iterable[str], accepted: Iterable[str]) -> list[str]:
        """Return the candidates that mean the same as no accepted answer, in their order.

        Args:
            candidates, accepted: names; a candidate drops out if it is spelled like an accepted answer, or if any of
                its Wikidata ids is one of theirs.
        """
        names = {folded(name) for name in accepted}
        ids = {wikidata_id for name in names for wikidata_id in self._ids.get(name, ())}
        return [
            name for name in candidates if folded(name) not in names and ids.isdisjoint(self._ids.get(folded(name), ()))
        ]
