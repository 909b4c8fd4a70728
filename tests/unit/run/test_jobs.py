"""What stands before every job's command where it has a conda environment, and what jobs are passed by theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dkn.run.jobs import before_every_job, before_jobs_of_a_module, pass_to_jobs
from dkn.study.config import parse_config
from tests.unit.default_study import DEFAULT

NOT_ACTIVE = f"error: the conda environment of this job is not active; python is {Path(sys.executable).parent}"
HERE = sys.prefix
HOSTILE = """it's $(touch ran) `touch ran` "2" & co; \\ (é) #1 {x}"""


def bash(code: str, *, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run shell code with this interpreter as ``python``, outside any conda environment but the one given."""
    variables = {key: value for key, value in os.environ.items() if key not in ("CONDA_PREFIX", "PYTHONNOUSERSITE")}
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-c", code],
        cwd=folder,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("before", "now", "active"),
    [
        (None, HERE, True),
        ("/elsewhere", HERE, True),
        (None, None, False),
        ("/elsewhere", "/elsewhere", False),  # Snakemake in an activated environment, the job's not activated
        (HERE, HERE, False),  # the same, and python is that environment's
        (None, "/", False),  # activated, but another python is found first
    ],
)
def test_a_job_goes_on_in_its_own_environment_only(
    before: str | None, now: str | None, active: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    if before:
        monkeypatch.setenv("CONDA_PREFIX", before)
    stage = """python -c 'import os; print("went on,", os.environ["PYTHONNOUSERSITE"])'"""
    start = before_every_job(Path("/checkout/workflow"), with_conda=True)
    result = bash(start + stage, **({"CONDA_PREFIX": now} if now else {}))
    assert result.stdout == ("went on, 1\n" if active else "")
    assert (result.returncode == 0) is active
    assert result.stderr.startswith(NOT_ACTIVE) is not active
    assert result.stderr.count("\n") == (not active)


def test_a_job_without_an_environment_runs_what_is_not_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that makes the report calls Snakemake by the path of its interpreter."""
    monkeypatch.setenv("CONDA_PREFIX", HOSTILE)
    start = before_every_job(Path("/checkout/workflow"), with_conda=True)
    result = bash(f"{start} {sys.executable} -c 'print(1)'; python -c 'print(2)' | cat; echo went on")
    assert result.stdout == "1\n"
    assert result.stderr.startswith(NOT_ACTIVE)


@pytest.mark.parametrize("with_conda", [False, True])
def test_a_checkouts_path_is_only_a_path(with_conda: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever characters it has, as has the environment that Snakemake was started in."""
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / HOSTILE))
    library = tmp_path / HOSTILE / "workflow"
    library.mkdir(parents=True)
    (library / "found.py").write_text("print('found')")
    start = before_every_job(library, with_conda)
    result = bash(f"{start} python -m found", folder=tmp_path, CONDA_PREFIX=HERE)
    assert result.stdout == "found\n", result.stderr
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize(("cache", "expected"), [(None, ""), ("shared/cache", "shared/cache")])
def test_a_study_passes_by_environment_what_must_rerun_nothing(
    cache: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set or emptied for every job, whatever the shell that started Snakemake had."""
    tree = {**DEFAULT, "cache": cache, "compute": {**DEFAULT["compute"], "jobs_per_gpu": 3}}
    for name in ("DKN_CACHE", "DKN_JOBS_PER_GPU"):
        monkeypatch.setenv(name, "of the shell")
    pass_to_jobs(parse_config(tree))
    assert (os.environ["DKN_CACHE"], os.environ["DKN_JOBS_PER_GPU"]) == (expected, "3")


SHOWS = """import os, sys; print(sys.argv[1:], os.environ.get("PYTHONPATH"), os.environ.get("PYTHONUTF8"))"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with a package ``dkn`` that shows how it was called."""
    folder = tmp_path / "it's a {x} folder"
    (folder / "dkn").mkdir(parents=True)
    (folder / "dkn" / "__main__.py").write_text(SHOWS)
    return folder


def test_jobs_of_a_module_alone_have_its_environment(library: Path) -> None:
    start = before_jobs_of_a_module(library, with_conda=False, already=None)
    assert before_jobs_of_a_module(library, with_conda=False, already=start) == start, "said once"
    code = f"python -m dkn 'a b' --c=d; python -c '{SHOWS}' -m dkn"
    result = bash(start + code, PYTHONPATH="/other", PYTHONUTF8="0")
    assert result.stdout == f"['a b', '--c=d'] {library} 1\n['-m', 'dkn'] /other 0\n", result.stderr
    assert bash(start + "python -m dkn | false; echo went on").stdout == "", "a job stops at errors"


def test_a_prefix_of_the_outer_workflow_is_kept(library: Path) -> None:
    start = before_jobs_of_a_module(library, with_conda=False, already="echo before; ")
    assert bash(start + "python -m dkn").stdout == f"before\n[] {library} 1\n"


def test_the_conda_check_is_for_the_jobs_of_a_module_alone(library: Path) -> None:
    start = before_jobs_of_a_module(library, with_conda=True, already=None)
    assert bash(start + "python -c 'print(1)'").stdout == "1\n"
    refused = bash(start + "python -m dkn")
    assert (refused.returncode != 0, refused.stdout) == (True, "")
    assert refused.stderr.startswith(NOT_ACTIVE)
    assert bash(start + "python -m dkn", CONDA_PREFIX=HERE).stdout == f"[] {library} 1\n"
