"""Table contrasts: a contrast in words."""

from __future__ import annotations

from dkn.paper.contrasts import of_model
from dkn.tables.contrasts import wide_contrasts
from tests.unit.contrast_rows import row


def test_words_of_a_contrast() -> None:
    summaries = {"suppression-values": {"contrasts": [row("dkn", "kn", 0.01, query="add")]}}
    words = wide_contrasts(of_model("a", summaries)).reset_index().iloc[0]
    assert list(words) == [
        "a", "suppression", "suppression-values", "dkn", "kn", "query=add", "0.100 [0.000, 0.200]", "0.01", "0.01", "9",
    ]  # fmt: skip
