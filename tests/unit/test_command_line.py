"""``python -m dkn``: the list of stages, help, mistakes in one line, and the flags that the rules pass."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from dkn.__main__ import main
from dkn.flags import command
from dkn.stages import stage_module, stages
from dkn.storage.provenance import code_sha256
from tests.workflow_rules import commands_of_a_run, workflow_rules

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "workflow"
STAGES = sorted(stages())
RESOURCES = ROOT / "resources" / "facts"
WITHOUT_RULE = {"ask", "model-check"}  # people run the first, and the checks before the first job the second
# The files of the checkout beside its modules that a stage reads: an edit of them is one of its code.
READ_BY = {
    "explorer": [WORKFLOW / "dkn" / "pages" / f"explorer.{kind}" for kind in ("html", "css", "js")],
    "facts": [RESOURCES / name for name in ("templates.yaml", "temporal.jsonl", "static.jsonl")],
    "index": [
        *(WORKFLOW / "dkn" / "pages" / f"index.{kind}" for kind in ("html", "css", "js")),
        *sorted((WORKFLOW / "report").glob("*.rst")),
    ],
    "table-reported": [ROOT / "resources" / "reported_results.yaml"],
    "verify": sorted((ROOT / "reference" / "default").iterdir()),
}


def parameters(stage: str) -> dict[str, Any]:
    """A stage's flags with what the command line knows of them."""
    app = typer.Typer(add_completion=False)
    app.command()(command(importlib.import_module(stage_module(stage)).main))
    return {flag: part for part in typer.main.get_command(app).params for flag in part.opts + part.secondary_opts}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``main`` sets these for its process; here they must not outlive the test."""
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=str)
def test_every_stage_is_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr()
    listed = dict(line.split(maxsplit=1) for line in printed.out.partition("stages:\n")[2].splitlines())
    assert listed == stages()
    assert all(summary.endswith(".") for summary in listed.values())
    assert not printed.err


@pytest.mark.parametrize("stage", ["fact", "", "model_wheel", "--version", "_shared"])
def test_an_unknown_stage_is_one_line(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([stage]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.startswith(f"error: unknown stage {stage!r}")
    assert printed.err.count("\n") == 1
    assert all(name in printed.err for name in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help(stage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit) as ended:
        main([stage, "--help"])
    assert ended.value.code == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert f"python -m dkn {stage}" in text
    for flag, parameter in parameters(stage).items():
        assert flag in text
        assert parameter.help, f"{flag} says nothing"


@pytest.mark.parametrize(
    "stage", sorted(set(STAGES) - {"ask", "estimate", "model-check"})
)  # which print, and write nothing
def test_every_stage_states_where_it_writes(stage: str) -> None:
    assert parameters(stage)["--output"].required


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["facts", "--source", "absent.jsonl", "--seed", "0"], "absent.jsonl: no such facts file"),
        (["model-folder", "--path", "absent"], "absent: no such model folder"),
    ],
    ids=["facts", "model-folder"],
)
def test_a_users_mistake_is_one_line(
    arguments: list[str],
    cause: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "facts":
        arguments = [*arguments, "--templates", str(RESOURCES / "templates.yaml"), "--downloads", "out/downloads.json"]
    assert main([*arguments, "--output", "out/made"]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"error: {cause}\n"
    assert not printed.out
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "status", "start"),
    [
        (["nonsense"], 2, "error: unknown stage"),
        (["model-folder", "--path", "absent", "--output", "out/m"], 1, "error: "),
    ],
    ids=["unknown stage", "user error"],
)
def test_a_shell_sees_the_exit_status(arguments: list[str], status: int, start: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "dkn", *arguments],
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == status
    assert result.stderr.startswith(start)
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize("arguments", [["--nonsense", "1"], ["--seed", "zero"], ["--seed", "0"]], ids=str)
def test_a_mistyped_flag_ends_without_a_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["facts", *arguments])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    assert "--" in printed


def test_every_stage_has_its_rule() -> None:
    assert {rule.stage for rule in workflow_rules()} - {""} == set(STAGES) - WITHOUT_RULE


@pytest.mark.parametrize("stage", STAGES)
def test_a_rules_parameter_is_the_code_of_its_stage(stage: str) -> None:
    """An edit of the stage's code would not rerun the rule otherwise."""
    for rule in workflow_rules():
        if rule.stage == stage:
            assert rule.params["code"] == code_sha256(stage, READ_BY.get(stage, ())), rule.name
            assert not [file for file in rule.inputs if Path(file).is_absolute()], "a moved study would rerun"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    """Every command of a study with a model of each source, by stage."""
    folder = tmp_path_factory.mktemp("study")
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    (folder / "local").mkdir()
    (folder / "local" / "config.json").write_text("{}")
    sources = [
        {"name": "local", "source": "folder", "path": "local"},
        {"name": "fetched", "source": "hub", "repo": "owner/name", "revision": "main"},
        {"name": "packed", "source": "wheel", "package": "name", "version": "1", "sha256": "0" * 64},
        {"name": "quantised", "source": "gguf", "path": "local/config.json"},
    ]
    (folder / "all.yaml").write_text(yaml.safe_dump({"models": [*study["models"], *sources]}))
    by_stage: dict[str, list[list[str]]] = {}
    targets = ["all", "sensitivity", "seeds", "audit", "verify"]
    for stage, *arguments in commands_of_a_run([*targets, "estimate"], folder, ["all.yaml"]):
        by_stage.setdefault(stage, []).append(arguments)
    return by_stage


@pytest.mark.parametrize("stage", sorted(set(STAGES) - WITHOUT_RULE))
def test_rules_pass_the_flags_that_their_stage_has(stage: str, commands: dict[str, list[list[str]]]) -> None:
    known = parameters(stage)
    for arguments in commands[stage]:
        passed = {part.partition("=")[0] for part in arguments if re.match(r"--[a-z]", part)}
        assert passed <= known.keys()
        assert {flag for flag, part in known.items() if part.required} <= passed
