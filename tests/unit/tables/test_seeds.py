"""Table seeds: a row per number, with its combination, its spread and its count of seeds."""

from __future__ import annotations

from dkn.paper.seeds import combined
from dkn.tables.seeds import wide_table
from tests.unit.seed_rows import models


def test_a_row_states_the_combination_and_the_seeds() -> None:
    found = models([0.1, 0.2, 0.3])
    found["nano-s2"]["suppression-values"]["estimates"].clear()
    wide = wide_table(combined("nano", found, 0.95, 10))
    row = wide.xs("C3 (literal)", level="needed by").iloc[0]
    assert row["over seeds"].startswith("20.0 (-4")
    assert (row["tau"], row["I²"], row["seeds"], row["n"]) == ("9.95", "99 %", "3 of 3", "≥ 80")
    assert row["least to greatest"] == "10.00 to 30.00"
    assert float(row["p"]) > 0.05
    lacking = wide.xs("main numbers", level="needed by")
    assert list(lacking["seeds"]).count("2 of 3") == 1
    assert lacking["p"].isna().all(), "an estimate is not tested"


def test_a_number_of_one_seed_has_no_combination() -> None:
    found = models([0.1, 0.2])
    found["nano-s1"].clear()
    wide = wide_table(combined("nano", found, 0.95, 10))
    assert wide["over seeds"].isna().all()
    assert set(wide["seeds"]) == {"1 of 2"}
    assert wide_table([]).empty
