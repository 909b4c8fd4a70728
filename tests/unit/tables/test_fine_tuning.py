"""Table fine_tuning: every neuron set, and what it trains."""

from __future__ import annotations

import pytest

from dkn.study.registry import of_setting
from dkn.tables.fine_tuning import SETTINGS, TITLE, lines
from dkn.tables.lines import long_table, wide_table
from dkn.tables.saving import latex
from tests.unit.fine_tuning_study import made
from tests.unit.latex_check import broken_latex


def test_fine_tuning_has_every_set_and_what_it_trains() -> None:
    """On the summaries that the stage itself makes; a random set's parameters are those of its first draw."""
    summaries, trainings = made("m")
    named = {
        name: {**summary, "sets": training["sets"]}
        for name, summary, training in zip(of_setting("fine-tuning"), summaries, trainings, strict=True)
    }
    table = long_table(lines, {"m": named})
    assert set(table["measure"]) == {"accuracy", "Prob", *SETTINGS, "D minus it, accuracy"}
    accuracy = table[table["measure"] == "accuracy"]
    assert accuracy["value"].tolist() == pytest.approx([0.75] * 15)
    wide = wide_table(table)
    assert len(wide) == 15
    assert (wide["trained parameters"] == "1,000").all()
    assert (wide[["learning rate", "lowest tried", "highest tried"]] == ["0.1", "0.01", "1"]).all().all()
    assert (wide["n"] == "12").all()
    assert wide["D minus it, accuracy"].isna().sum() == 3
    assert not broken_latex(latex(wide, TITLE, "tab:x"))
