"""The files around the workflow that other tools and people read: they name what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import git
import pytest
import yaml

from tests.workflow_rules import ROOT

PAGES = ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md", "config/README.md", "results/README.md")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_hosted_continuous_integration_runs_the_one_script() -> None:
    steps = read(".github/workflows/ci.yml")["jobs"]["all"]["steps"]
    assert [step["run"] for step in steps if "run" in step][-1] == ".ci/run"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100, "it can be run"


def test_the_catalog_of_workflows_finds_what_it_looks_for() -> None:
    assert read(".snakemake-workflow-catalog.yml")["usage"]["software-stack-deployment"]["conda"]
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert read("config/config.yaml") == {"results": "results"}


def test_the_readme_of_configurations_names_every_file() -> None:
    words = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert not [
        path.name for path in (ROOT / "config").iterdir() if path.name != "README.md" and path.name not in words
    ]


@pytest.mark.parametrize("page", [*PAGES, *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    path = ROOT / page
    prose = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    links = LINK.findall(prose)
    assert not [link for link in links if not (path.parent / link).exists()]


def test_cleaning_keeps_what_git_has_of_the_results(tmp_path: Path) -> None:
    for name in ("Makefile", ".gitignore", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "results", tmp_path / "results", ignore=lambda _, names: [n for n in names if n != "README.md"]
    )
    repository = git.Repo.init(tmp_path)
    repository.git.add(all=True)
    assert "results/README.md" in repository.git.ls_files()
    for path in (
        "results/figures/a.pdf",
        "results/.hidden",
        "results/tiny/facts.parquet",
        "results-2/a.csv",
        ".snakemake/a",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert repository.untracked_files == []
    make = shutil.which("make")
    assert make
    for _ in range(2):
        subprocess.run([make, "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["README.md"]
    assert not (tmp_path / ".snakemake").exists()
    assert repository.git.diff() == ""
