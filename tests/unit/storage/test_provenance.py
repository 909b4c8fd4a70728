"""What a stage's code is, what a record holds, and which modules stay light."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dkn.errors import UserError
from dkn.stages import PACKAGE, stage_file, stages
from dkn.storage.provenance import code_files, code_sha256, provenance, sha256
from tests.unit.allowed_imports import ALLOWED, GROUND

STAGES = sorted(stages())
HEAVY = ("torch", "transformers", "pandas")


def closure(stage: str) -> set[str]:
    """A stage's code files, relative to the package, without their ending."""
    return {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in code_files(stage)}


# --- closures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_existing_files_its_own_among_them(stage: str) -> None:
    files = code_files(stage)
    assert files == sorted(set(files))
    assert all(path.is_file() for path in files)
    assert stage_file(stage) in files


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_no_other_stage(stage: str) -> None:
    """An edit of one stage must not rerun another."""
    others = {stage_file(other) for other in STAGES if other != stage}
    assert not others & set(code_files(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_no_stranger(stage: str) -> None:
    """The code that a stage depends on is what it uses."""
    own = stage_file(stage).relative_to(PACKAGE).with_suffix("").as_posix()
    known = {own, *GROUND, *ALLOWED[stage]}
    strangers = {path for path in closure(stage) if "/" in path and path not in known}
    assert not {path for path in strangers if path.split("/")[0] not in known}


@pytest.mark.parametrize(
    ("module", "untouched"),
    [
        ("neurons/interventions", ["model-trained", "known", "attribution", "distances", "experiment-fine-tuning"]),
        ("neurons/tuning", ["known", "attribution", "components", "experiment-perturbation", "experiment-overlap"]),
        ("summaries/degeneracy", ["summary-overlap", "summary-perturbation", "figure-degeneracy", "table-degeneracy"]),
        ("figures/style", ["table-degeneracy", "summary-degeneracy", "verdicts"]),
    ],
)
def test_an_edit_leaves_what_does_not_use_it(module: str, untouched: list[str]) -> None:
    assert any(module in closure(stage) for stage in STAGES)
    assert not [stage for stage in untouched if module in closure(stage)]


def test_a_codes_checksum_is_of_its_content_wherever_it_lies(tmp_path: Path) -> None:
    """With the files beside the modules; a record states the one of the modules alone."""
    page, moved = tmp_path / "page.html", tmp_path / "moved.html"
    page.write_text("page")
    moved.write_text("page")
    assert code_sha256("explorer") == provenance("explorer", {}, [])["code_sha256"]
    assert code_sha256("explorer", [page]) == code_sha256("explorer", [moved]) != code_sha256("explorer")
    assert code_sha256(None, [page]) == digest("page")
    moved.write_text("other")
    assert code_sha256("explorer", [page]) != code_sha256("explorer", [moved])
    moved.unlink()
    with pytest.raises(UserError, match=r"moved\.html: this part of the workflow cannot be read"):
        code_sha256("explorer", [moved])


def test_imports_name_the_package_so_that_closures_find_them() -> None:
    """``code_files`` reads absolute imports only: a relative or dynamic one would escape it."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}"
            dynamic = isinstance(node, ast.Attribute) and node.attr == "import_module"
            assert not dynamic or path.name == "__main__.py", path


# --- records ------------------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """One input of a relative, one of an absolute path, one model folder."""
    monkeypatch.chdir(tmp_path)
    relative, absolute, folder = Path("in/known.parquet"), tmp_path / "templates.yaml", Path("in/model")
    folder.mkdir(parents=True)
    relative.write_text("known")
    absolute.write_text("templates")
    (folder / "provenance.json").write_text("{}")
    (folder / "model.safetensors").write_text("weights")
    return [relative, absolute, folder]


def digest(text: str) -> str:
    """A text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_record_names_stage_settings_code_inputs_and_versions(inputs: list[Path]) -> None:
    record = provenance("candidates-ntc", {"tau1": 0.1}, inputs)
    assert record["stage"] == "candidates-ntc"
    assert record["settings"] == {"tau1": 0.1}
    assert record["inputs"] == {
        "in/known.parquet": digest("known"),
        "templates.yaml": digest("templates"),
        "in/model": digest("{}"),
    }
    assert record["versions"]["python"].startswith("3.")
    assert {"torch", "transformers", "numpy", "pandas", "ripser"} <= set(record["versions"])
    assert len(record["code_sha256"]) == len(record["settings_sha256"]) == 64


def test_equal_runs_give_equal_records(inputs: list[Path]) -> None:
    first = json.dumps(provenance("candidates-ntc", {"a": 1, "b": None}, inputs))
    assert json.dumps(provenance("candidates-ntc", {"a": 1, "b": None}, inputs)) == first


def test_equal_runs_in_another_folder_give_equal_records(inputs: list[Path], tmp_path: Path) -> None:
    record = provenance("candidates-ntc", {}, inputs)
    moved = tmp_path / "moved.yaml"
    inputs[1].rename(moved)
    (tmp_path / "elsewhere").mkdir()
    again = moved.rename(tmp_path / "elsewhere" / "templates.yaml")
    assert provenance("candidates-ntc", {}, [inputs[0], again, inputs[2]]) == record


@pytest.mark.parametrize("what", ["stage", "settings", "input"])
def test_another_run_gives_another_record(what: str, inputs: list[Path]) -> None:
    settings: dict[str, Any] = {"tau1": 0.1}
    record = provenance("candidates-ntc", settings, inputs)
    if what == "input":
        inputs[0].write_text("other")
    changed = provenance(
        "known" if what == "stage" else "candidates-ntc", {"tau1": 0.2} if what == "settings" else settings, inputs
    )
    part = {"stage": "code_sha256", "settings": "settings_sha256", "input": "inputs"}[what]
    assert changed[part] != record[part]


def test_inputs_of_one_name_are_all_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled ``templates.yaml`` and a user's own of the same name are two inputs."""
    monkeypatch.chdir(tmp_path)
    bundled, own = tmp_path / "resources" / "templates.yaml", Path("templates.yaml")
    bundled.parent.mkdir()
    bundled.write_text("bundled")
    own.write_text("own")
    assert set(provenance("facts", {}, [bundled, own])["inputs"].values()) == {digest("bundled"), digest("own")}


def test_sha256_of_file_and_folder(inputs: list[Path]) -> None:
    assert sha256(inputs[0]) == digest("known")
    assert sha256(inputs[2]) == digest("{}")


# --- light modules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["dkn.run.checks", "dkn.run.jobs", "dkn.storage.provenance", "dkn.study.config", "dkn.study.registry"], HEAVY),
        (["dkn.__main__"], HEAVY),
        (
            [
                "dkn.commands.candidates_ntc",
                "dkn.commands.experiment_overlap",
                "dkn.commands.knowledge_neurons",
                "dkn.commands.summary_degeneracy",
                "dkn.commands.summary_fine_tuning",
                "dkn.commands.summary_overlap",
                "dkn.commands.verdicts",
                "dkn.figures.component_sizes",
                "dkn.figures.degeneracy",
                "dkn.figures.kn_graph",
                "dkn.figures.persistence",
                "dkn.tables.degeneracy",
            ],
            HEAVY[:2],
        ),
    ],
    ids=["what the Snakefile imports", "command line", "stages without a model"],
)
def test_light_modules_import_nothing_heavy(modules: list[str], absent: tuple[str, ...]) -> None:
    code = f"import {', '.join(modules)}, sys; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "[]", result.stderr
