"""docs/python.ipynb and docs/python.md: their calls run, in order, on a small model in the place of the study's."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stage_runs import run_stage

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = json.loads((DOCS / "python.ipynb").read_text())
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return the value of its last expression; IPython's own lines are left out."""
    tree = ast.parse("\n".join("" if line.startswith("%") else line for line in source.split("\n")))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None  # noqa: S307


@pytest.fixture
def beside_results(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model where the default study has one; the current folder is its ``docs``, as a notebook's is."""
    assert run_stage("model-folder", path=study / "model", output=tmp_path / "results" / "gpt2-nano" / "model") == 0
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path


def test_the_notebook_runs_from_top_to_bottom(beside_results: Path) -> None:
    names: dict[str, Any] = {}
    values = [run_cell("".join(cell["source"]), names) for cell in CELLS]
    assert all(value is not None for value in values)
    assert values[0].startswith("gpt2-nano: ")
    assert type(values[-2]).__name__ == "Figure"
    assert (beside_results / "results" / "libya.html").stat().st_size > 1_000_000


def test_what_the_notebook_shows_came_of_one_run_without_errors() -> None:
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    shown = [output for cell in CELLS for output in cell["outputs"]]
    assert {output["output_type"] for output in shown} <= {"execute_result", "display_data"}
    assert any("image/png" in output["data"] for output in shown)


def test_the_pages_calls_run(beside_results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(beside_results)
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    lines = code.replace("(0, 57), (3, 12)", "(0, 57), (2, 12)")  # the small model has three layers
    values = [run_cell(line, names) for line in lines.strip().split("\n") if line]
    assert "Suppressed(neurons=" in repr(values[-2])
    assert {"load", "attribute", "knowledge_neurons", "components", "suppress", "plot"} <= set(
        re.findall(r"dkn\.(\w+)", code)
    )
