"""Table funnel: a row per model and grouping, in order, and all three formats."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from dkn.summaries.funnel import STEPS
from dkn.tables.funnel import wide_table
from dkn.tables.saving import save
from tests.unit.latex_check import broken_latex


def test_the_wide_table_keeps_order_and_numbers() -> None:
    rows = [(model, "ntc", step, 10 * at) for model in ("z", "a") for at, step in enumerate(STEPS)]
    wide = wide_table(pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"]))
    assert wide.index.tolist() == [("z", "ntc"), ("a", "ntc")]
    assert wide.columns[:3].tolist() == ["facts", "answered", "answered unseen"]
    assert wide.iloc[0].tolist() == ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100", "110"]


def test_all_three_formats_hold_the_table(tmp_path: Path) -> None:
    rows = [(model, "ntc", step, 10 * at) for model in ("z", "a") for at, step in enumerate(STEPS)]
    table = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    save(table, wide_table(table), "Facts", tmp_path / "the_funnel.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "the_funnel.csv"), table, check_dtype=False)
    lines = [re.findall(r"[^|]+", line) for line in (tmp_path / "the_funnel.md").read_text().splitlines()]
    assert [cell.strip() for cell in lines[2]] == ["z", "ntc", *(str(10 * at) for at in range(len(STEPS)))]
    text = (tmp_path / "the_funnel.tex").read_text()
    assert not broken_latex(text)
    assert "a & ntc & 0 & 10 & 20 & 30 & 40 & 50 & 60 & 70 & 80 & 90 & 100 & 110" in text
    assert r"\label{tab:the-funnel}" in text
