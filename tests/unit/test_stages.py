"""Stages and their modules: found without an import, wherever their folder is."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from dkn.stages import PACKAGE, stage_file, stage_module, stages, summary_of


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("known", "commands/known.py"),
        ("candidates-ntc", "commands/candidates_ntc.py"),
        ("figure-kn-graph", "figures/kn_graph.py"),
        ("table-fact-checking", "tables/fact_checking.py"),
        ("tables", "commands/tables.py"),  # no table of a name
        ("no-such-stage", "commands/no_such_stage.py"),
    ],
)
def test_a_stages_name_says_where_its_module_is(stage: str, expected: str) -> None:
    assert stage_file(stage) == PACKAGE / expected
    assert stage_module(stage) == f"dkn.{expected.removesuffix('.py').replace('/', '.')}"


def test_every_stage_is_found_with_the_first_line_of_its_module() -> None:
    found = stages()
    assert list(found) == sorted(found)
    assert {"attribution", "known", "figure-suppression", "table-suppression"} <= set(found)
    for stage, summary in found.items():
        assert stage_file(stage).is_file()
        assert stage_file(stage).read_text().startswith(f'"""{summary}')
        assert summary.endswith((".", "?"))


def test_a_stage_is_told_from_its_own_module_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found, parsed = stages(), []
    parse = ast.parse
    monkeypatch.setattr("ast.parse", lambda text: parsed.append(text) or parse(text))
    assert summary_of("figure-kn-graph") == found["figure-kn-graph"]
    assert len(parsed) == 1
    for other in ("no-such-stage", "figure-style", "table-lines", "../run/jobs", "--help", ""):
        assert summary_of(other) is None


def test_modules_without_a_main_are_no_stages() -> None:
    """Figures and tables share modules; two of them have a name that a stage could have."""
    found = stages()
    for shared in ("figures/style.py", "figures/perturbation.py", "tables/lines.py", "tables/perturbation.py"):
        assert (PACKAGE / shared).is_file()
    assert not {"figure-style", "figure-perturbation", "table-lines", "table-perturbation"} & set(found)
    assert not any("init" in stage for stage in found)


@pytest.mark.parametrize("stage", ["facts", "table-page", "figure-funnel"])
def test_a_stages_module_has_its_main(stage: str) -> None:
    module = importlib.import_module(stage_module(stage))
    assert Path(inspect.getfile(module)) == stage_file(stage)
    assert (module.__doc__ or "").split("\n")[0] == stages()[stage]
    assert inspect.isfunction(module.main)


def test_stages_are_found_without_an_import_of_theirs() -> None:
    """The Snakefile uses the module for every job, in whatever environment it runs."""
    code = (
        "import sys; before = set(sys.modules); from dkn.stages import stages; stages();"
        "added = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(added - set(sys.stdlib_module_names)), [name for name in sys.modules if name.startswith('dkn.')])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['dkn'] ['dkn.stages']"
