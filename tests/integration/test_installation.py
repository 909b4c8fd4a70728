"""The package that ``pip install .`` makes: it is whole without the clone, and gives the command."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from tests.unit.model_folders import save_tiny_gpt2

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, as pip lays it out."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_the_package_and_nothing_else(installed: Path) -> None:
    package = ROOT / "workflow" / "dkn"
    expected = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    expected = {name for name in expected if "__pycache__" not in name}
    found = {
        path.relative_to(installed / "dkn").as_posix() for path in (installed / "dkn").rglob("*") if path.is_file()
    }
    assert found == expected | {"config.yaml"}
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"dkn", "degenerate_knowledge_neurons"}
    assert (installed / "dkn" / "config.yaml").read_text() == (ROOT / "config.yaml").read_text()


def test_the_installation_answers_without_the_clone(installed: Path, tmp_path: Path) -> None:
    """The command ``dkn`` is what the wheel's entry point names."""
    entries = ConfigParser()
    entries.read(next(installed.glob("*.dist-info")) / "entry_points.txt")
    module, _, function = entries["console_scripts"]["dkn"].partition(":")
    save_tiny_gpt2(tmp_path / "tiny")
    start = f"import sys; from {module} import {function}; sys.argv[0] = 'dkn'; {function}()"
    result = subprocess.run(
        [sys.executable, "-c", start, "ask", "the capital of France is", "Paris", "--model=tiny", "--html=fact.html"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("the capital of France is … Paris\n")
    assert "explorer" in (tmp_path / "fact.html").read_text()[:2000]


def test_the_version_is_the_one_to_cite() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["project"]["version"] == str(cited["version"])
    assert PROJECT["project"]["license"] == cited["license"]
