"""How facts are put to a model under interventions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import pandas as pd

from dkn.decoder.encoded_facts import EncodedFact, EncodingSettings, encode_all
from dkn.decoder.loading import LanguageModel
from dkn.neurons.edits import EditSettings
from dkn.study.protocol import applied


@dataclass(frozen=True)
class Asking:
    """How facts are put to a model.

    Attributes:
        batch: the number of facts computed at once.
        encoding: how their answers become tokens.
        edits: where interventions act, and along which tokens Prob is read.
    """

    batch: int
    encoding: EncodingSettings = field(default_factory=EncodingSettings)
    edits: EditSettings = field(default_factory=EditSettings)

    def encoded(self, model: LanguageModel, chosen: pd.DataFrame) -> list[EncodedFact]:
        """Return facts in tokens, in the table's order; the columns are those that ``encode_all`` takes."""
        return encode_all(model, chosen, self.encoding)

    @classmethod
    def with_switches(cls, batch: int, released: Iterable[str] | None, edits: str = "edits") -> Self:
        """Return how facts are put to a model in a study.

        Args:
            batch: the number of facts computed at once.
            released: the switches that are as in the released code.
            edits: the choice of edits, ``edits`` for values or ``weight edits``, see ``study.protocol``.
        """
        encoding = applied("evaluated answer", EncodingSettings(), released)
        return cls(batch, encoding, applied(edits, EditSettings(), released))

    def stated(self) -> dict[str, Any]:
        """Return what a table's provenance states of it."""
        return {**vars(self.encoding), **{f"edit_{name}": value for name, value in vars(self.edits).items()}}
