"""The tables of the paper's settings: numbers where the summaries have them, and text that says what they are."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dkn.stages import stage_module
from dkn.study.names import POPULATIONS
from dkn.study.registry import CONTROL_SETTINGS, SETTINGS, of_setting
from dkn.summaries.wording import bracketed
from dkn.tables import ablation, degeneracy, enhancement, fact_checking, fine_tuning, overlap, sharing
from dkn.tables import suppression as suppression_table
from dkn.tables.lines import NO_FACT, long_table, wide_table
from dkn.tables.saving import latex, markdown
from tests.unit.latex_check import broken_latex
from tests.unit.table_rows import NOTHING, contrast, found, suppression

TABLES = {  # the title of every setting's table, and where its numbers are
    "degeneracy": (degeneracy.TITLE, degeneracy.lines),
    "suppression": (suppression_table.TITLE, suppression_table.LINES),
    "enhancement": (enhancement.TITLE, enhancement.LINES),
    "fact-checking": (fact_checking.TITLE, fact_checking.lines),
    "overlap": (overlap.TITLE, overlap.lines),
    "fine-tuning": (fine_tuning.TITLE, fine_tuning.lines),
    "ablation": (ablation.TITLE, ablation.lines),
    "sharing": (sharing.TITLE, sharing.lines),
}
LINES = suppression_table.LINES


def test_there_is_a_table_for_every_setting() -> None:
    assert tuple(TABLES) == (*SETTINGS, *CONTROL_SETTINGS)


def test_numbers_stand_in_their_row_and_column() -> None:
    about = {"population": "all", "query": "original", "metric": "drop"}
    summaries = suppression(
        found(0.25, neuron_set="dkn", **about),
        found(0.5, neuron_set="kn", **about),
        found(9.0, neuron_set="dkn", population="all", query="original", metric="nats"),  # another metric: in no table
        found(0.125, neuron_set="dkn", population="degenerate", query="perturbed", metric="drop"),
        contrasts=(
            contrast(-0.25, 0.00625, first="dkn", second="kn", **about),
            contrast(
                0.1, 0.5, first="dkn", second="kn", population="all", query="interaction", metric="drop"
            ),  # counts for Holm alone
        ),
    )
    table = long_table(LINES, {"m": summaries})
    assert table[["population", "query", "neurons", "measure", "value", "p", "facts"]].astype(object).fillna(
        ""
    ).values.tolist() == [
        [POPULATIONS["all"], "original", "D", "drop, values", 0.25, "", 40],
        [POPULATIONS["all"], "original", "N", "drop, values", 0.5, "", 40],
        [POPULATIONS["all"], "original", "N", "D minus it, values", -0.25, 0.0125, 40],
        [POPULATIONS["degenerate"], "perturbed, mean", "D", "drop, values", 0.125, "", 40],
    ]
    wide = wide_table(table)
    assert [row[2:] for row in wide.index] == [("original", "D"), ("original", "N"), ("perturbed, mean", "D")]
    assert wide.loc[("m", POPULATIONS["all"], "original", "N")].tolist() == [
        "50.0 (40.0 … 60.0)",
        "-25.0 (-35.0 … -15.0), p = 0.013",
        "40",
    ]
    assert wide["D minus it, values"].isna().tolist() == [True, False, True]


def test_other_facts_are_stated_and_a_missing_interval_is_left_out() -> None:
    about = {"population": "all", "query": "original", "metric": "drop"}
    bare = {**found(0.5, neuron_set="kn", **about), "low": None, "high": None}
    difference = contrast(0.1, None, 33, first="dkn", second="kn", **about)
    wide = wide_table(long_table(LINES, {"m": suppression(bare, contrasts=(difference,))}))
    assert wide.iloc[0].tolist() == ["50.0", "10.0 (0.0 … 20.0), n = 33", "40"]
    assert bracketed(-0.0001, -0.0004, 0.3) == "0.00 (0.00 … 0.30)"  # no minus before zero
    assert (
        bracketed(0.001, 0.00096, 0.00104, "share") == "0.1000 (0.0960 … 0.1040)"
    )  # bounds that differ look different


def test_models_without_a_number_have_a_row_that_says_why() -> None:
    fact = found(0.25, neuron_set="dkn", population="all", query="original", metric="drop")
    empty = found(None, 0, neuron_set="dkn", population="all", query="original", metric="drop")
    why = {name: {**part, "not_run": "too few facts"} for name, part in suppression().items()}
    models = {"a": why, "b": suppression(fact), "c": suppression(empty), "d": suppression()}
    table = long_table(LINES, models)
    assert table["model"].tolist() == ["a", "b", "c", "d"]
    wide = wide_table(table)
    assert wide.index.get_level_values(1).tolist() == ["not run: too few facts", POPULATIONS["all"], NO_FACT, NO_FACT]
    assert wide.columns.tolist() == ["drop, values", "n"]
    for nothing in (wide, wide_table(long_table(LINES, {"a": why}))):
        assert not broken_latex(latex(nothing, "c", "l"))
        assert markdown(nothing).count("\n") == 2 + len(nothing)


def test_two_rows_for_one_number_are_refused() -> None:
    row = found(0.25, neuron_set="dkn", population="all", query="original", metric="drop")
    with pytest.raises(ValueError, match="2 rows match"):
        long_table(LINES, {"m": suppression(row, row)})


@pytest.mark.parametrize("setting", TABLES)
def test_every_line_finds_the_row_made_for_it_and_no_other(setting: str) -> None:
    """Summaries made from the lines themselves, each with a value of its own; so no two lines ask for one number."""
    names = [*of_setting(setting), *(["degeneracy"] if setting == "degeneracy" else [])]
    groupings: dict[str, dict[str, Any]] = {
        name: {"grouping": name.partition("-")[2]} if setting == "degeneracy" else {} for name in names
    }
    summaries: dict[str, dict[str, Any]] = {
        name: {**groupings[name], **json.loads(json.dumps(NOTHING))} for name in names
    }
    title, lines_of = TABLES[setting]
    lines = list(lines_of(summaries))
    made = {}
    for number, line in enumerate(lines):
        key = line.experiment, line.part, tuple(sorted(line.where.items()))
        if line.part != "sets" and key not in made:
            made[key] = number / 8
            row = found(number / 8, 40, **line.where)
            summaries[line.experiment][line.part].append({**row, line.value: row["mean"]})
    table = long_table(lines_of, {"m_1": summaries})
    assert table["value"].tolist() == list(made.values())
    wide = wide_table(table)
    assert not broken_latex(latex(wide, title, "tab:x"))
    for row in table.itertuples(index=False):
        labels = tuple(row[: table.columns.get_loc("measure")])
        assert str(wide.loc[labels, row.measure]).startswith(bracketed(row.value, row.low, row.high, row.metric))


@pytest.mark.parametrize("setting", TABLES)
def test_the_stage_of_every_setting_writes_its_table(setting: str, tmp_path: Path) -> None:
    """Of a model that has not been run: one row that says so, in all formats."""
    names = of_setting(setting)
    for name in names:
        path = tmp_path / "m" / "experiments" / name / "summary.json"
        path.parent.mkdir(parents=True)
        about = {"model": "m", "experiment": name, "grouping": name.partition("-")[2], "not_run": "too few facts"}
        path.write_text(json.dumps({**NOTHING, **about}))
    comparison = tmp_path / "m" / "experiments" / "degeneracy" / "comparison.json"
    comparison.parent.mkdir(parents=True, exist_ok=True)
    comparison.write_text(json.dumps({"model": "m", "groupings": [], "functional_test": {}, "degeneracy": NOTHING}))
    output = tmp_path / "table.csv"
    importlib.import_module(stage_module(f"table-{setting}")).main([tmp_path / "m"], list(names), 0.9, output)
    assert pd.read_csv(output)["measure"].tolist() == ["not run: too few facts"]
    assert "not run: too few facts" in output.with_suffix(".md").read_text()
    text = output.with_suffix(".tex").read_text()
    assert not broken_latex(text)
    assert TABLES[setting][0].split(":")[0] in text
    assert r"90 \% intervals" in text
