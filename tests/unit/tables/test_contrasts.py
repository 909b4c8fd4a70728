"""Table contrasts: a contrast in words."""

from __future__ import annotations

from dkn.paper.contrasts import of_model
from dkn.tables.contrasts import wide_contrasts
from tests.unit.contrast_rows import row


def test_words_of_a_contrast() -> None:
    summaries = {"suppression-values": {"contrasts": [row("dkn", "kn", 0.01, query="add")]}}
    words = wide_contrasts(of_model("a", summaries)).reset_index().iloc[0]
    assert list(words) == [
        "a", "suppression", "suppression-values", "dkn", "kn", "query=add",
        "0.10 (0.00 … 0.20)", None, "0.01", "0.01", "9",
    ]  # fmt: skip


def test_a_contrast_without_an_interval_or_without_facts() -> None:
    bare = row("dkn", "kn", None, query="add") | {"low": None, "high": None}
    empty = row("dkn", "random", None, query="add") | dict.fromkeys(("difference", "low", "high"))
    table = of_model("a", {"suppression-values": {"contrasts": [bare, empty | {"facts": 0, "subjects": 0}]}})
    words = wide_contrasts(table).reset_index(drop=True).fillna("").to_numpy().tolist()
    assert words == [["0.10", "", "", "", "9"], ["", "", "", "", "0"]]


def test_no_contrast_at_all() -> None:
    table = of_model("a", {"suppression-values": {"contrasts": []}})
    assert table.columns.tolist()[:3] == ["model", "setting", "experiment"]
    assert not (table["p_holm"] < 0.05).any()
    assert wide_contrasts(table).empty
