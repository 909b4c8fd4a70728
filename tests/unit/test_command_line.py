"""``python -m dkn``: the list of stages, help, mistakes in one line, and the flags that the rules pass."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dkn.__main__ import main, stages

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "workflow"
STAGES = sorted(stages())
RESOURCES = ROOT / "resources" / "facts"


def parameters(stage: str) -> dict[str, Any]:
    """A stage's flags with what the command line knows of them."""
    app = typer.Typer(add_completion=False)
    app.command()(importlib.import_module(f"dkn.commands.{stage.replace('-', '_')}").main)
    return {flag: part for part in typer.main.get_command(app).params for flag in part.opts + part.secondary_opts}


def rules() -> Iterator[tuple[str, str, str]]:
    """(rule, stage, text) of every rule that runs a stage."""
    for path in sorted((WORKFLOW / "rules").glob("*.smk")):
        for block in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            for stage in re.findall(r"python -m dkn ([\w-]+)", block):
                yield block.partition(":")[0], stage, block


RULES = list(rules())


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


def test_stages_are_the_modules_of_commands() -> None:
    files = {path.stem for path in (WORKFLOW / "dkn" / "commands").glob("[a-z]*.py")}
    assert {stage.replace("-", "_") for stage in STAGES} == files


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


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"estimate"}))  # which prints, and writes nothing
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
    assert {stage for _, stage, _ in RULES} == set(STAGES)


@pytest.mark.parametrize(("rule", "stage", "text"), RULES, ids=[rule for rule, _, _ in RULES])
def test_a_rule_passes_the_flags_that_its_stage_has(rule: str, stage: str, text: str) -> None:
    passed = set(re.findall(r"--[a-z][\w-]*", text))
    if "{params.compute}" in text:
        passed |= {"--device", "--dtype", "--threads"}
    known = parameters(stage)
    assert passed <= known.keys()
    assert {flag for flag, part in known.items() if part.required} <= passed
    assert f'code("{stage}")' in text, "an edit of the stage's code would not rerun the rule"
