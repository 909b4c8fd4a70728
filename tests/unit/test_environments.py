"""The conda environments: the pins of requirements.txt, and every module that their stages import."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from dkn.stages import PACKAGE
from dkn.storage.provenance import code_files
from tests.environments import ENVIRONMENTS, JOBS, STAGES, packages, requirements, tree
from tests.workflow_rules import ROOT

# Import name -> package name, where they differ. Two are no pin of their own: requests brings urllib3, and jinja2
# brings markupsafe.
PACKAGES = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "urllib3": "requests",
    "markupsafe": "jinja2",
}


# Packages that no stage imports itself, and why an environment holds them.
NEEDED_BY_OTHERS = {
    "safetensors": "transformers reads and writes weights with it",
    "gguf": "transformers reads GGUF weights with it",
    "accelerate": "transformers wants it for GGUF weights",
    "tabulate": "pandas writes Markdown with it",
}


def load_pin() -> ModuleType:
    """``envs/pin.py``, which is a script and no part of a package."""
    specification = importlib.util.spec_from_file_location("pin", ROOT / "envs" / "pin.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


PIN = load_pin()


def imported(path: Path) -> set[str]:
    """Top-level names of other people's modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {PACKAGE.name}


def packages_of(stage: str) -> set[str]:
    """The packages that a stage imports, its command line included."""
    files = [*code_files(stage), PACKAGE / "__main__.py", PACKAGE / "run" / "gpus.py", *PACKAGE.rglob("__init__.py")]
    return {PACKAGES.get(name, name) for file in files for name in imported(file)}


# --- pins ---------------------------------------------------------------------------------------------------


def test_requirements_are_exact_pins_each_stated_once() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert PIN.pins() == requirements()
    assert len(lines) == len(requirements())


@pytest.mark.parametrize("package", requirements())
def test_a_pin_is_what_is_installed_here(package: str) -> None:
    """The tests speak for the pinned versions only if these are the ones that run."""
    try:
        found = metadata.version(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    assert found.partition("+")[0] == requirements()[package]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environments_pins_are_those_of_requirements(path: Path) -> None:
    assert packages(path).items() <= requirements().items()
    assert PIN.pinned(path.read_text()) == path.read_text(), "run `make envs`"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pinning_mends_versions_and_nothing_else(path: Path) -> None:
    text = path.read_text()
    assert PIN.pinned(re.sub(r"==\S+", "==0.0.1", text)) == text
    assert PIN.pinned(re.sub(r"==\S+", "", text)) == text


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_gives_python_and_pip_from_conda_forge_only(path: Path) -> None:
    content = tree(path)
    assert content["channels"] == ["conda-forge"]
    names = [part for part in content["dependencies"] if isinstance(part, str)]
    assert [re.split(r"[=<>]", name)[0] for name in names] == ["python", "pip"]
    assert content["name"] == f"dkn-{path.stem}"


def test_an_installation_has_what_the_package_imports_at_its_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = dict(line.split("==") for line in project["dependencies"])
    needed = {PACKAGES.get(name, name) for file in PACKAGE.rglob("*.py") for name in imported(file)}
    assert wanted.items() <= requirements().items(), "run `make envs`"
    assert wanted.keys() == needed | NEEDED_BY_OTHERS.keys()


def test_pinning_mends_the_projects_versions_and_nothing_else() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert PIN.pinned_project(text) == text
    older = text.replace('"torch==', '"torch==0.0.1+').replace('"pandas==', '"pandas>=0.')
    assert older != text
    assert PIN.pinned_project(older) == text


def test_environments_agree_on_python() -> None:
    assert len({part for path in ENVIRONMENTS for part in tree(path)["dependencies"] if "python" in part}) == 1


# --- modules ------------------------------------------------------------------------------------------------


def test_every_environment_serves_a_stage() -> None:
    assert all(STAGES.values())
    assert {job.environment for job in JOBS.values()} == set(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("path", "stage"),
    [(path, stage) for path, stages in STAGES.items() for stage in sorted(stages)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_an_environment_holds_what_its_stage_imports(path: Path, stage: str) -> None:
    assert packages_of(stage) <= packages(path).keys()


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_holds_nothing_that_no_stage_needs(path: Path) -> None:
    needed = set[str]().union(*map(packages_of, STAGES[path]))
    assert packages(path).keys() - needed <= NEEDED_BY_OTHERS.keys()


def test_light_environments_hold_no_models() -> None:
    for path in ENVIRONMENTS:
        if path.stem != "lm":
            assert not {"torch", "transformers"} & packages(path).keys()


def test_requirements_hold_every_module_of_the_package() -> None:
    needed = {PACKAGES.get(name, name) for file in PACKAGE.rglob("*.py") for name in imported(file)}
    assert needed <= requirements().keys()
