"""Table audit: a row per comparison in points, with its interval, and its caption."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dkn.storage.files import write_json
from dkn.tables.audit import in_points, main, wide_table
from tests.unit.audits import NUMBER, SAME, UNDEFINED, made_audit


def test_a_change_is_in_points_with_its_interval() -> None:
    assert in_points(NUMBER) == "5.0 (1.0 … 9.0)"
    assert in_points({**NUMBER, "value": -0.0001, "low": float("nan")}) == "-0.010", "two digits"
    assert in_points({**NUMBER, "low": None, "high": None}) == "5.0"
    assert in_points(SAME) == "0.0 (0.0 … 0.0)"
    assert in_points(UNDEFINED) is None
    assert in_points({**UNDEFINED, "value": float("nan")}) is None


def test_a_row_says_what_a_switch_changes() -> None:
    wide = wide_table([made_audit(), made_audit("b_nano")])
    assert len(wide) == 18
    row = wide.loc[("b_nano", "text, this one as released", "site")]
    assert (row["KN Jaccard"], row["facts with a DKN"], row["with two BDCs"]) == ("0.50", "20 → 14", "10 → 10")
    assert (row["gap"], row["suppression: D − as many of N"]) == ("5.0 (1.0 … 9.0)", "-3.0 (-8.0 … 2.0)")
    assert row["verdicts that change"].startswith("C1 primary: supported → contradicted; ")
    mended = wide.loc[("a_nano", "released, this one as in the text", "site")]
    assert pd.isna(mended["KN Jaccard"])
    step = wide.loc[("a_nano", "step of the path from text to released", "compared")]
    assert step[["suppression: D − as many of N", "new facts: D"]].isna().all()


def test_the_table_is_written_three_times_with_its_caption(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.json" for name in ("a", "b")]
    for path, audit in zip(paths, (made_audit("a"), made_audit("b")), strict=True):
        write_json(path, audit)
    main(paths, 0.9, tmp_path / "audit.csv")
    assert len(pd.read_csv(tmp_path / "audit.csv")) == 18
    markdown, latex = ((tmp_path / f"audit.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    assert "| 5.0 (1.0 … 9.0) |" in markdown
    assert "90 \\% bootstrap intervals" in latex
    assert "a 50 facts, of which it knows 40, b 50 facts" in latex
