"""The rules of the workflow as Snakemake has them, and the commands that a study runs."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Snakemake reads the workflow in a process of its own: the Snakefile sets variables of the environment.
SCRIPT = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    read = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path(sys.argv[1]))
    rules = [
        {
            "name": rule.name,
            "command": rule.shellcmd or "",
            "params": {name: value for name, value in rule.params.items() if isinstance(value, str)},
            "environment": str(rule.conda_env or ""),
            "inputs": [str(file) for file in rule.input],
            "outputs": [str(file) for file in rule.output],
            "file": str(rule.snakefile),
        }
        for rule in read._workflow.rules
    ]
print("RULES" + json.dumps(rules))
"""
# All jobs that targets need, as Snakemake would run them now.
JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

snakefile, configfiles, targets = json.loads(sys.argv[1])
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
    read = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[Path(file) for file in configfiles]),
        snakefile=Path(snakefile),
    )
    read.dag(DAGSettings(targets=set(targets))).execute_workflow(executor="dryrun")
    jobs = [
        {
            "rule": job.rule.name,
            "command": job.shellcmd,
            "compared": [*map(str, job.input), *map(repr, job.non_derived_params)],
            "inputs": [str(file) for file in job.input],
            "outputs": [str(file) for file in job.output],
        }
        for job in read._workflow.dag.jobs
        if job.shellcmd
    ]
print("RULES" + json.dumps(jobs))
"""
# Figures and tables that are no part of a study whose entries have one seed.
ON_REQUEST = {"sensitivity", "seeds", "audit", "audit_path", "audit_verdicts"}
STAGE = re.compile(r"python -m dkn ([\w-]+)")


@dataclass(frozen=True)
class Rule:
    """One rule: its name, the stage that its command runs (empty: none), its environment file, inputs and outputs.

    Its command is the text before anything is filled in, and its parameters are those that are plain text.
    """

    name: str
    stage: str
    command: str
    params: dict[str, str]
    environment: Path | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def _read_by(script: str, argument: str, folder: Path) -> Any:
    """What a script that reads the workflow in ``folder`` prints as JSON."""
    result = subprocess.run(
        [sys.executable, "-c", script, argument],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return json.loads(result.stdout.partition("RULES")[2])


@functools.cache
def workflow_rules() -> tuple[Rule, ...]:
    """All rules of the default study."""
    rules = []
    for rule in _read_by(SCRIPT, str(ROOT / "Snakefile"), ROOT):
        command = rule["command"]
        for name, value in rule["params"].items():
            command = command.replace(f"{{params.{name}:q}}", value)
        stages = STAGE.findall(command)
        assert len(stages) <= 1, f"rule {rule['name']} runs {stages}"
        environment = (Path(rule["file"]).parent / rule["environment"]).resolve() if rule["environment"] else None
        files = tuple(rule["inputs"]), tuple(rule["outputs"])
        stage = stages[0] if stages else ""
        rules.append(Rule(rule["name"], stage, rule["command"], rule["params"], environment, *files))
    return tuple(rules)


def figure_names() -> list[str]:
    """The figures that rules draw, by the names of their files."""
    return [rule.name.removeprefix("figure_") for rule in workflow_rules() if rule.name.startswith("figure_")]


def table_names() -> list[str]:
    """The tables that rules write, by the names of their files; not their pages."""
    names = [rule.name.removeprefix("table_") for rule in workflow_rules() if rule.name.startswith("table_")]
    return [name for name in names if name != "page"]


@dataclass(frozen=True)
class Job:
    """One job: its rule, its command for the shell, its files, and what Snakemake compares with that of the last run.

    The last are the paths of inputs, and the parameters as their ``repr``.
    """

    rule: str
    command: str
    compared: list[str]
    inputs: list[str]
    outputs: list[str]

    @property
    def stage(self) -> list[str]:
        """The stage that the command runs, its flags and values; empty where it runs none."""
        words = shlex.split(self.command)
        return words[3 : words.index("2>&1")] if words[:3] == ["python", "-m", "dkn"] else []


def jobs_of_a_run(targets: Sequence[str], folder: Path, configfiles: Sequence[str] = ()) -> list[Job]:
    """Every job that targets need, with ``folder`` as the working directory."""
    argument = json.dumps([str(ROOT / "Snakefile"), list(configfiles), list(targets)])
    return [Job(**job) for job in _read_by(JOBS, argument, folder)]


def commands_of_a_run(targets: Sequence[str], folder: Path, configfiles: Sequence[str] = ()) -> list[list[str]]:
    """Stage, flags and values of every job that targets need and that runs a stage."""
    return [job.stage for job in jobs_of_a_run(targets, folder, configfiles) if job.stage]
