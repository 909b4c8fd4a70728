"""Table reported: the paper's numbers beside a study's own."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml

from dkn.stages import PACKAGE
from dkn.study.registry import EXPERIMENTS
from dkn.tables.reported import COLUMNS, quantities, side_by_side, wide_table

REPORTED = PACKAGE.parents[1] / "resources" / "reported_results.yaml"


@pytest.mark.parametrize("experiment", [each for each in EXPERIMENTS if each.reported], ids=lambda each: each.name)
def test_reported_numbers_are_where_the_registry_says(experiment: Any) -> None:
    """Every experiment of the paper has quantities, all of them under its setting in the file of reported numbers."""
    tree = yaml.safe_load(REPORTED.read_text())
    own = [quantity for quantity in quantities(tree) if quantity.experiment == experiment.name]
    by_count = {"degeneracy_by_count"} if experiment.name == "degeneracy-ntc" else set()
    assert {quantity.setting for quantity in own} == {experiment.reported[0], *by_count}


def numbers_in(tree: Any) -> list[float]:
    """Return all numbers in a tree of dictionaries and lists, without the dictionaries' keys."""
    if isinstance(tree, int | float):
        return [float(tree)]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return [number for part in parts for number in numbers_in(part)]


def test_every_number_of_the_file_is_in_the_table_as_it_is_printed() -> None:
    """None is dropped, and none is rounded: the overlap of 99.95 % is not 100 %."""
    tree = yaml.safe_load(REPORTED.read_text())
    table = side_by_side(REPORTED, {})
    of_f1 = {setting: 100 for setting in tree if isinstance(tree[setting], dict) and tree[setting].get("unit") == "f1"}
    printed = [of_f1.get(setting, 1) * number for setting, part in tree.items() for number in numbers_in(part)]
    assert sorted(table["value"]) == pytest.approx(sorted(printed))
    cells = wide_table(table)
    assert sorted(float(cell) for cell in cells.to_numpy().ravel() if cell == cell) == pytest.approx(sorted(printed))
    assert cells.loc["share of DKNs among the most changed (%)", "paper: GPT-2"] == "99.95"
    assert cells.loc["full drop in Prob, ntc with 13 BDCs (%)"].tolist()[1:] == ["183.68"]


def summary(mean: float, **where: Any) -> dict[str, Any]:
    return {"estimates": [{**where, "mean": mean, "low": mean - 0.1, "high": mean + 0.1, "facts": 7}]}


def test_reported_and_own_numbers_stand_side_by_side() -> None:
    """The paper's number is the file's, this study's the summary's; percentages are scaled, models keep their names."""
    where = {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "full"}
    found = side_by_side(REPORTED, {"tiny": {"degeneracy-ntc": summary(0.25, **where)}})
    rows = found[found["quantity"] == "full drop in Prob, ntc (%)"].set_index("model")
    assert rows.loc["GPT-2", ["kind", "value"]].tolist() == ["reported", 55.6]
    assert rows.loc["LLaMA2-7b", "value"] == 28.78
    assert rows.loc["tiny", ["kind", "value", "low", "high", "facts"]].tolist() == ["this study", 25, 15, 35, 7]
    assert set(found.loc[found["kind"] == "reported", "model"]) == {"GPT-2", "LLaMA2-7b"}
    assert (found["kind"] == "this study").sum() == 1


def test_a_study_of_few_subjects_has_numbers_without_intervals() -> None:
    where = {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "full"}
    few = {"estimates": [{**where, "mean": 0.25, "low": None, "high": None, "facts": 2}]}
    found = wide_table(side_by_side(REPORTED, {"tiny": {"degeneracy-ntc": few}}))
    assert found.loc["full drop in Prob, ntc (%)", "this study: tiny"] == "25.0, n = 2"


def test_f1_is_not_a_percentage() -> None:
    where = {"detector": "dkn", "wording": "triple", "metric": "f1", "neurons": "own"}
    found = side_by_side(REPORTED, {"tiny": {"fact-checking-dkn": summary(0.5, **where)}})
    assert found.loc[found["kind"] == "this study", ["quantity", "value"]].to_numpy().tolist() == [
        ["F1, dkn (%)", 50.0]
    ]


def test_the_wide_table_has_a_column_per_model() -> None:
    where = {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "full"}
    found = wide_table(side_by_side(REPORTED, {"tiny": {"degeneracy-ntc": summary(0.25, **where)}}))
    assert found.columns.tolist() == ["paper: GPT-2", "paper: LLaMA2-7b", "this study: tiny"]
    assert found.loc["full drop in Prob, ntc (%)"].tolist() == ["55.6", "28.78", "25.0 (15.0 … 35.0), n = 7"]
    assert found["this study: tiny"].notna().sum() == 1


def test_reported_numbers_without_a_value_leave_their_cell_empty() -> None:
    rows = [("s", "e", "q", kind, model, value, None, None, 7.0, "") for kind, model, value in (
        ("this study", "m", None), ("reported", "GPT-2", 1.5))]  # fmt: skip
    wide = wide_table(pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": float, "low": float, "high": float}))
    assert wide.columns.tolist() == ["paper: GPT-2", "this study: m"]
    assert wide.loc["q"].fillna("").tolist() == ["1.5", ""]


def test_facts_with_so_many_components_stand_beside_the_papers() -> None:
    where = {"selection": "bdc", "grouping": "ntc", "components": 3, "metric": "drop", "kind": "partial"}
    found = side_by_side(REPORTED, {"tiny": {"degeneracy-ntc": {"by_components": summary(0.02, **where)["estimates"]}}})
    rows = found[found["quantity"] == "partial drop in Prob, ntc with 3 BDCs (%)"].set_index("model")
    assert rows["value"].to_dict() == {"LLaMA2-7b": 4.34, "tiny": 2}


def test_nothing_suppressed_costs_what_the_perturbation_costs() -> None:
    where = {"population": "all", "neuron_set": "none", "query": "add", "metric": "query_drop"}
    found = side_by_side(REPORTED, {"tiny": {"suppression-values": summary(0.125, **where)}})
    rows = found[found["quantity"] == "drop in Prob, values of none, word: add (%)"].set_index("model")
    assert rows["value"].to_dict() == {"GPT-2": 5, "LLaMA2-7b": 0.88, "tiny": 12.5}
