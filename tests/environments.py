"""The conda environments and the jobs that run in them, for the tests of environments, of the image and of conda."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.workflow_rules import ROOT, workflow_rules

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def requirements() -> dict[str, str]:
    """Package -> version, read off requirements.txt without ``pin.py``."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    return dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines if line)  # type: ignore[union-attr]


def tree(path: Path) -> dict[str, Any]:
    """An environment file."""
    return yaml.safe_load(path.read_text())


def packages(path: Path) -> dict[str, str]:
    """Package -> version of an environment's pip section."""
    (section,) = [part["pip"] for part in tree(path)["dependencies"] if isinstance(part, dict)]
    return dict(line.split("==") for line in section)


def place(path: Path) -> str:
    """The name of an environment file's environment below /conda-envs."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Job:
    """What one rule runs, and in which environment file."""

    stage: str
    environment: Path


def jobs_by_rule() -> dict[str, Job]:
    """Rule -> its job, for every rule that runs a stage: each has one environment, and the others have none."""
    assert all(bool(rule.stage) == (rule.environment is not None) for rule in workflow_rules())
    return {rule.name: Job(rule.stage, rule.environment) for rule in workflow_rules() if rule.environment}


JOBS = jobs_by_rule()
STAGES = {path: {job.stage for job in JOBS.values() if job.environment == path} for path in ENVIRONMENTS}
