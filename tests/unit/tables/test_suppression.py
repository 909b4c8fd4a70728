"""Table suppression: the stage writes all formats."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dkn.study.registry import of_setting
from dkn.tables.lines import NUMBERS
from dkn.tables.suppression import main
from tests.unit.latex_check import broken_latex
from tests.unit.stage_runs import status_of
from tests.unit.table_rows import found, suppression


def test_the_stage_writes_all_formats(tmp_path: Path) -> None:
    for name, part in suppression(
        found(0.25, population="all", neuron_set="dkn", query="original", metric="drop")
    ).items():
        path = tmp_path / "my_model" / "experiments" / name / "summary.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"model": "my_model", "experiment": name, **part}))
    output = tmp_path / "suppression.csv"
    main([tmp_path / "my_model"], list(of_setting("suppression")), 0.9, output)
    assert pd.read_csv(output)[["model", "value"]].values.tolist() == [["my_model", 0.25]]
    assert set(NUMBERS) <= set(pd.read_csv(output).columns)
    text = output.with_suffix(".tex").read_text()
    assert not broken_latex(text)
    assert r"my\_model & facts with a DKN & original & D & 25.0 (15.0 \ldots{} 35.0) & 40 \\" in text
    assert r"90 \% intervals" in text


def test_a_misspelt_table_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["table-suppresion"]) == 2
    error = capsys.readouterr().err
    assert "'table-suppresion'" in error
    assert " table-suppression," in error
