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

from dkn.__main__ import stages
from dkn.storage.provenance import PACKAGE, code_files, provenance, sha256

STAGES = sorted(stages())
HEAVY = ("torch", "transformers", "pandas")


def closure(stage: str) -> set[str]:
    """A stage's code files, relative to the package."""
    return {path.relative_to(PACKAGE).as_posix() for path in code_files(stage)}


# --- closures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_existing_files_its_own_command_among_them(stage: str) -> None:
    files = code_files(stage)
    assert files == sorted(set(files))
    assert all(path.is_file() for path in files)
    assert PACKAGE / "commands" / f"{stage.replace('-', '_')}.py" in files


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_no_other_stage(stage: str) -> None:
    """An edit of one stage must not rerun another."""
    others = {path for path in closure(stage) if path.startswith("commands/") and not path.startswith("commands/_")}
    assert others == {f"commands/{stage.replace('-', '_')}.py"}


@pytest.mark.parametrize(
    ("stage", "inside", "outside"),
    [
        (
            "attribution",
            ["attribution.py", "branches.py", "language_models.py", "quadrature.py"],
            ["figures/", "sources"],
        ),
        ("figure-degeneracy", ["figures/degeneracy.py"], ["adapters.py", "attribution.py", "branches.py"]),
        ("figure-persistence", ["figures/persistence.py"], ["adapters.py", "attribution.py", "clustering.py"]),
        (
            "figure-kn-graph",
            ["figures/kn_graph.py", "figures/example.py"],
            ["adapters.py", "figures/persistence"],
        ),
        ("figure-perturbation", ["figures/perturbation.py"], ["adapters.py", "figures/degeneracy"]),
        ("figure-fact-checking", ["detection.py"], ["adapters.py", "attribution.py", "figures/perturbation"]),
        (
            "explorer",
            ["explorer.py", "merging.py", "page.py", "clustering.py"],
            ["adapters.py", "functional_test.py", "figures/persistence", "figures/kn_graph"],
        ),
        ("figure-component-sizes", ["statistics.py"], ["adapters.py", "dendrogram.py", "clustering.py"]),
        ("summary-degeneracy", ["statistics.py"], ["adapters.py", "attribution.py", "figures/"]),
        (
            "experiment-fine-tuning",
            ["experiments/fine_tuning.py", "experiments/tuning_facts.py", "neuron_tuning.py", "neuron_sets.py"],
            ["attribution.py", "training.py", "statistics.py", "experiments/overlap.py"],
        ),
        ("summary-fine-tuning", ["statistics.py"], ["adapters.py", "neuron_tuning.py", "figures/"]),
        ("experiment-overlap", ["experiments/overlap.py"], ["neuron_tuning.py", "attribution.py", "statistics.py"]),
        ("summary-overlap", ["statistics.py"], ["adapters.py", "experiments/overlap.py", "figures/"]),
        ("candidates", ["clustering.py", "dendrogram.py"], ["adapters.py", "attribution.py", "distances.py"]),
        ("facts", ["facts.py", "sources.py"], ["adapters.py", "config.py", "model_sources.py"]),
        ("components", ["functional_test.py", "language_models.py"], ["attribution.py", "clustering.py", "figures/"]),
        ("sensitivity", ["experiments/sensitivity.py", "clustering.py"], ["attribution.py", "topology.py", "figures/"]),
        ("table-sensitivity", ["statistics.py"], ["adapters.py", "clustering.py", "figures/"]),
        ("figure-sensitivity", ["figures/sensitivity.py"], ["adapters.py", "experiments/sensitivity.py"]),
        ("model-trained", ["training.py"], ["attribution.py", "figures/"]),
    ],
)
def test_a_closure_holds_what_the_stage_runs_and_no_more(stage: str, inside: list[str], outside: list[str]) -> None:
    files = closure(stage)
    assert files >= set(inside)
    assert not [path for path in files for part in outside if path.startswith(part)]


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
    record = provenance("candidates", {"tau1": 0.1}, inputs)
    assert record["stage"] == "candidates"
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
    first = json.dumps(provenance("candidates", {"a": 1, "b": None}, inputs))
    assert json.dumps(provenance("candidates", {"a": 1, "b": None}, inputs)) == first


def test_equal_runs_in_another_folder_give_equal_records(inputs: list[Path], tmp_path: Path) -> None:
    record = provenance("candidates", {}, inputs)
    moved = tmp_path / "moved.yaml"
    inputs[1].rename(moved)
    (tmp_path / "elsewhere").mkdir()
    again = moved.rename(tmp_path / "elsewhere" / "templates.yaml")
    assert provenance("candidates", {}, [inputs[0], again, inputs[2]]) == record


@pytest.mark.parametrize("what", ["stage", "settings", "input"])
def test_another_run_gives_another_record(what: str, inputs: list[Path]) -> None:
    settings: dict[str, Any] = {"tau1": 0.1}
    record = provenance("candidates", settings, inputs)
    if what == "input":
        inputs[0].write_text("other")
    changed = provenance(
        "known" if what == "stage" else "candidates", {"tau1": 0.2} if what == "settings" else settings, inputs
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
        (["dkn.config", "dkn.preflight", "dkn.provenance", "dkn.sources"], HEAVY),
        (["dkn.__main__"], HEAVY),
        (
            [
                "dkn.commands.figure_degeneracy",
                "dkn.commands.figure_persistence",
                "dkn.commands.figure_kn_graph",
                "dkn.commands.figure_component_sizes",
                "dkn.commands.summary_degeneracy",
                "dkn.commands.summary_fine_tuning",
                "dkn.commands.summary_overlap",
                "dkn.commands.candidates",
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
