"""Stored audits as tables: every comparison and verdict is one row, and what is undefined stays missing."""

from __future__ import annotations

from pathlib import Path

from dkn.audit.numbers import HEADLINES
from dkn.audit.stored import (
    SHORT,
    clearly_moved,
    comparison_table,
    largest_movers,
    read_audits,
    verdict_changes,
    verdict_table,
)
from dkn.storage.files import write_json
from tests.unit.audits import made_audit

TWO = [made_audit(), made_audit("b_nano", lacks="questions")]


def test_every_main_number_has_a_short_name_in_the_papers_order() -> None:
    assert list(SHORT) == [headline.name for headline in HEADLINES]


def test_the_stored_audit_is_read_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "audit.json", made_audit())
    assert read_audits([tmp_path / "audit.json"]) == [made_audit()]


def test_a_comparison_is_a_row_of_numbers() -> None:
    table = comparison_table(TWO)
    assert list(table["model"]) == ["a_nano"] * 9 + ["b_nano"] * 9
    row = table.iloc[0]
    assert (row["direction"], row["group"], row["switch"]) == ("flipped", "attribution", "site")
    assert (row["jaccard"], row["jaccard_facts"]) == (0.5, 40)
    assert (row["with_dkn_before"], row["with_dkn_after"], row["degenerate_after"]) == (20, 14, 10)
    found = [row[f"gap_{part}"] for part in ("before", "after", "change", "low", "high", "facts")]
    assert found == [0.2, 0.25, 0.05, 0.01, 0.09, 9]
    assert row["verdicts"] == "C1 primary: supported → contradicted; C3 literal: inconclusive → supported"


def test_what_is_undefined_is_missing_in_the_table() -> None:
    table = comparison_table(TWO[:1]).set_index(["direction", "switch"])
    lost = table.loc[("flipped", "compared")]
    assert lost["suppression_before"] == 0.17
    assert lost[["suppression_after", "suppression_change", "suppression_low"]].isna().all()
    assert table.loc["step", "new_facts_change"].isna().all(), "the path follows three numbers"
    assert table.loc["step", "gap_change"].notna().all()
    assert table["jaccard"].isna().sum() == 1


def test_a_verdict_is_a_row_and_says_whether_it_changed() -> None:
    table = verdict_table(TWO[:1])
    assert len(table) == 2 * (2 + 6), "two protocols and six comparisons, of two claims each"
    own = table[table["direction"] == "released"]
    assert list(own["verdict"]) == ["contradicted", "inconclusive"]
    assert not own["changed"].any()
    site = table[(table["direction"] == "flipped") & (table["switch"] == "site")]
    assert list(zip(site["claim"], site["reading"], site["verdict"], site["changed"], strict=True)) == [
        ("C1", "primary", "contradicted", True),
        ("C3", "literal", "supported", True),
    ]
    assert table["changed"].sum() == 4


def test_only_verdicts_that_differ_are_said_to_change() -> None:
    flipped = {one["switch"]: one for one in TWO[0]["comparisons"] if one["direction"] == "flipped"}
    assert verdict_changes(flipped["sign"]) == []
    assert verdict_changes(flipped["compared"]) == ["C3 literal: inconclusive → not run"]


def test_the_largest_movers_clearly_move_the_most_numbers() -> None:
    """An interval that holds zero, or is missing, moves nothing clearly, however large the change."""
    audit = made_audit()
    flipped = {one["switch"]: one for one in audit["comparisons"] if one["direction"] == "flipped"}
    assert clearly_moved(flipped["site"], list(SHORT)) == ["gap"]
    assert clearly_moved(flipped["sign"], list(SHORT)) == []
    assert [one["switch"] for one in largest_movers(audit, "flipped", list(SHORT), 2)] == ["site"]
    assert largest_movers(audit, "flipped", ["suppression"], 1) == []
    surely = {
        "value": -9.0,
        "low": -12.0,
        "high": -3.0,
        "before": 9.1,
        "after": 0.1,
        "se": 1,
        "facts": 9,
        "subjects": 8,
    }
    flipped["sign"]["numbers"] |= {"gap": surely}
    assert [one["switch"] for one in largest_movers(audit, "flipped", list(SHORT), 2)] == ["sign", "site"]
    flipped["site"]["numbers"] |= {"overlap": {**surely, "value": 0.01, "low": 0.001, "high": 0.02}}
    assert clearly_moved(flipped["site"], list(SHORT)) == ["gap", "overlap"], "the larger change first"
    assert [one["switch"] for one in largest_movers(audit, "flipped", list(SHORT), 1)] == ["site"], "two numbers"
