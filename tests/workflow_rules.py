"""The rules of the workflow as Snakemake has them, and the commands that a study runs."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
STAGE = re.compile(r"python -m dkn ([\w-]+)")


@dataclass(frozen=True)
class Rule:
    """One rule: its name, the stage that its command runs (empty: none), its environment file, inputs and outputs."""

    name: str
    stage: str
    environment: Path | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@functools.cache
def workflow_rules() -> tuple[Rule, ...]:
    """All rules of the default study."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT / "Snakefile")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rules = []
    for rule in json.loads(result.stdout.partition("RULES")[2]):
        command = rule["command"]
        for name, value in rule["params"].items():
            command = command.replace(f"{{params.{name}}}", value)
        stages = STAGE.findall(command)
        assert len(stages) <= 1, f"rule {rule['name']} runs {stages}"
        environment = (Path(rule["file"]).parent / rule["environment"]).resolve() if rule["environment"] else None
        files = tuple(rule["inputs"]), tuple(rule["outputs"])
        rules.append(Rule(rule["name"], stages[0] if stages else "", environment, *files))
    return tuple(rules)


def figure_names() -> list[str]:
    """The figures that rules draw, by the names of their files."""
    return [rule.name.removeprefix("figure_") for rule in workflow_rules() if rule.name.startswith("figure_")]


def table_names() -> list[str]:
    """The tables that rules write, by the names of their files; not their pages."""
    names = [rule.name.removeprefix("table_") for rule in workflow_rules() if rule.name.startswith("table_")]
    return [name for name in names if name != "page"]


def commands_of_a_run(*arguments: str, folder: Path) -> list[tuple[str, list[str]]]:
    """(stage, its arguments) of every command that a dry run in ``folder`` prints."""
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "-n",
            "-p",
            "--cores",
            "1",
            "--snakefile",
            str(ROOT / "Snakefile"),
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    lines = (result.stdout + result.stderr).splitlines()
    printed = [line.partition("python -m dkn ")[2].partition(" 2>&1")[0] for line in lines if "python -m dkn " in line]
    commands = [shlex.split(line) for line in printed]
    return [(command[0], command[1:]) for command in commands]
