"""The study as a module of another workflow: from this checkout, as a deployed copy, and out of a git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import git
import pytest

from dkn.storage.files import read_table
from dkn.storage.schemas import FACTS
from tests.short_study import ROOT, jobs_in, make_checkout, short_config

OUTER = """
configfile: "mine.yaml"

rule all:
    input:
        "environment.txt",

module dkn:
    snakefile:
        {snakefile}
    config:
        config["dkn"]
{more}

use rule * from dkn as dkn_*

rule environment:
    input:
        rules.dkn_make_facts.output,
    output:
        "environment.txt",
    shell:
        "python -c 'import os; print([name for name in os.environ if name.startswith(\\"PYTHON\\")])' > {{output}}"
"""
DEPLOYED = """
configfile: "config/config.yaml"

module dkn:
    snakefile:
        {snakefile}
    config:
        config

use rule * from dkn
"""
PARTIAL = "dkn: {results: mine, facts: {most: 30}}\n"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder; its output, standard error included, is in ``stdout``."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        env={**others, "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(OUTER.format(snakefile=repr(str(ROOT / "Snakefile")), more=""))
    (tmp_path / "mine.yaml").write_text(PARTIAL)
    return tmp_path


def test_a_module_takes_defaults_for_what_is_not_stated(outer: Path) -> None:
    result = snakemake(outer, "--dry-run", "dkn_all")
    assert result.returncode == 0, result.stdout[-3000:]
    planned = jobs_in(result.stdout)
    own = jobs_in(snakemake(outer, "--dry-run", "--snakefile", str(ROOT / "Snakefile")).stdout)
    assert planned == {f"dkn_{rule}" if rule != "total" else rule: count for rule, count in own.items()}
    assert planned["dkn_model_trained"] == 2


def test_the_outer_workflow_keeps_its_target_and_its_environment(outer: Path) -> None:
    result = snakemake(outer)
    assert result.returncode == 0, result.stdout[-3000:]
    assert jobs_in(result.stdout).keys() == {"all", "environment", "dkn_make_facts", "total"}
    assert (outer / "environment.txt").read_text() == "[]\n"
    assert 30 <= len(read_table(outer / "mine" / "facts" / "facts.parquet", FACTS)) < 40


@pytest.mark.parametrize(
    ("config", "more", "line"),
    [
        ("dkn: {resluts: mine}", "", "error: config: resluts: unknown key"),
        (
            "dkn: {results: mine}",
            '    prefix: "other"',
            "error: module: `prefix:` and `replace_prefix:` are not possible",
        ),
    ],
)
def test_a_module_that_cannot_run_is_one_line(config: str, more: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(OUTER.format(snakefile=repr(str(ROOT / "Snakefile")), more=more))
    (tmp_path / "mine.yaml").write_text(config)
    result = snakemake(tmp_path, "--dry-run")
    assert result.returncode
    assert line in result.stdout
    assert "Traceback" not in result.stdout


def test_a_deployed_copy_makes_the_whole_study(tmp_path: Path) -> None:
    """What snakedeploy writes: its Snakefile, and this repository's ``config`` and ``profiles``."""
    (tmp_path / "workflow").mkdir()
    for folder in ("config", "profiles"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    snakefile = repr(str(ROOT / "workflow" / "Snakefile"))
    (tmp_path / "workflow" / "Snakefile").write_text(DEPLOYED.format(snakefile=snakefile))
    result = snakemake(tmp_path, "--dry-run")
    assert result.returncode == 0, result.stdout[-3000:]
    assert {"all", "model_trained", "make_report"} <= jobs_in(result.stdout).keys()


def test_a_module_out_of_a_git_repository_runs(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    make_checkout(there, short_config())
    with git.Repo.init(there) as repository:  # which ends the processes of git that it keeps
        repository.git.add(all=True)
        me = git.Actor("a", "a@b.c")
        repository.index.commit("all", author=me, committer=me)
        repository.create_tag("v1")
    source = f'gitfile({str(there)!r}, path="workflow/Snakefile", tag="v1")'
    (here / "Snakefile").write_text(OUTER.format(snakefile=source, more=""))
    (here / "mine.yaml").write_text(PARTIAL)
    first = snakemake(here)
    assert first.returncode == 0, first.stdout[-3000:]
    assert "Nothing to be done" in snakemake(here).stdout
    assert (here / "environment.txt").read_text() == "[]\n"
