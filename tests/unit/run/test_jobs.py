"""What stands before every job's command where it has a conda environment, and what jobs are passed by theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dkn.run.jobs import pass_to_jobs, require_environment
from dkn.study.config import parse_config
from tests.unit.default_study import DEFAULT

NOT_ACTIVE = f"error: the conda environment of this job is not active; python is {Path(sys.executable).parent}"
HERE = sys.prefix


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
    command = f"set -euo pipefail; {require_environment()} echo went on, $PYTHONNOUSERSITE"
    environment = {key: value for key, value in os.environ.items() if key != "CONDA_PREFIX"}
    environment |= {"CONDA_PREFIX": now} if now else {}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    result = subprocess.run(["/bin/bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout == ("went on, 1\n" if active else "")
    assert (result.returncode == 0) is active
    assert result.stderr.startswith(NOT_ACTIVE) is not active
    assert result.stderr.count("\n") == (not active)


def test_snakemake_finds_nothing_to_fill_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text becomes part of a prefix in which braces would be Snakemake's."""
    monkeypatch.setenv("CONDA_PREFIX", "/some where/it's")
    assert not set("{}") & set(require_environment())
    assert subprocess.run(["/bin/bash", "-n", "-c", require_environment()], check=False).returncode == 0


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
