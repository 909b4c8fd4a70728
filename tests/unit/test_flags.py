"""Flags of stages: groups of them on the command line, and flags that are repeated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from dkn import flags
from dkn.errors import UserError
from dkn.flags import command, one_output_each

REQUIRED = {"--model": "m", "--resamples": "100", "--confidence": "0.9", "--seed": "3"}
SHOWN: list[dict[str, Any]] = []


def stage(model: flags.Model, compute: flags.Compute, statistics: flags.Statistics, batch: flags.Batch = 8) -> None:
    """Show what a stage is given."""
    SHOWN.append({"model": model, "compute": compute, "statistics": statistics, "batch": batch})


def run(main: Callable[..., None], *arguments: str) -> tuple[int, str]:
    """Exit status and output of a stage on a command line, as ``python -m dkn`` runs it."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command(main))
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})
    return result.exit_code, result.output


def required(without: str = "") -> list[str]:
    """The flags that the stage requires, but for one."""
    return [part for flag, value in REQUIRED.items() if flag != without for part in (flag, value)]


def given(*arguments: str) -> dict[str, Any]:
    """What the stage is given by a command line that states all that is required, and these flags."""
    SHOWN.clear()
    status, output = run(stage, *required(), *arguments)
    assert status == 0, output
    (shown,) = SHOWN
    return shown


def test_a_group_stands_in_its_place_as_its_single_flags() -> None:
    expected = ["model", "device", "dtype", "threads", "gpus", "resamples", "confidence", "seed", "batch"]
    assert list(inspect.signature(command(stage)).parameters) == expected


def test_a_flag_keeps_its_help_whether_or_not_it_is_of_a_group() -> None:
    status, output = run(stage, "--help")
    assert status == 0
    assert "Show what a stage is given." in output
    assert get_args(flags.Model)[1].help in output
    assert get_args(get_type_hints(flags.Compute, include_extras=True)["device"])[1].help in output
    assert "--compute" not in output


def test_flags_that_are_not_given_have_their_groups_defaults() -> None:
    shown = given()
    assert shown["compute"] == flags.Compute() == flags.Compute("auto", "float32", 1, 1)
    assert shown["statistics"] == flags.Statistics(100, 0.9, 3)
    assert (shown["model"], shown["batch"]) == (Path("m"), 8)


def test_flags_that_are_given_reach_their_group_as_numbers() -> None:
    shown = given("--threads", "2", "--device", "cpu", "--batch", "4")
    assert shown["compute"] == flags.Compute("cpu", "float32", 2, 1)
    assert shown["batch"] == 4


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_required_flag_stays_required(missing: str) -> None:
    status, output = run(stage, *required(without=missing))
    assert status == 2
    assert f"Missing option '{missing}'" in output


def test_a_limit_of_a_groups_flag_holds() -> None:
    status, output = run(stage, *required(), "--gpus", "-1")
    assert status == 2
    assert "--gpus" in output


def test_a_switch_of_a_group_is_a_switch() -> None:
    seen: list[flags.Clustering] = []

    def cut(clustering: flags.Clustering) -> None:
        seen.append(clustering)

    stated = ["--persistence", "ratio", "--tau1", "0.5", "--quantile", "0.2", "--min-size", "2"]
    assert run(cut, *stated)[0] == run(cut, *stated, "--tau1-is-quantile")[0] == 0
    assert seen == [flags.Clustering("ratio", 0.5, 0.2, 2, switch) for switch in (False, True)]


def test_a_stage_without_groups_is_as_it_was() -> None:
    seen: list[list[Path]] = []

    def plain(output: flags.Outputs) -> None:
        seen.append(output)

    assert run(plain, "--output", "a", "--output", "b")[0] == 0
    assert seen == [[Path("a"), Path("b")]]


def test_a_name_of_two_groups_is_refused() -> None:
    """Neither of the two groups could have a value of its own."""

    def both(first: flags.Statistics, second: flags.Statistics) -> None:
        raise AssertionError

    def beside(seed: flags.Seed, statistics: flags.Statistics) -> None:
        raise AssertionError

    for main, name in ((both, "resamples"), (beside, "seed")):
        with pytest.raises(ValueError, match=f"duplicate parameter name: '{name}'"):
            command(main)


def test_outputs_that_do_not_match_are_one_line() -> None:
    with pytest.raises(UserError, match="--method is given 2 times, --output 1 times"):
        one_output_each([Path("a")], method=["dbscan", "kmeans"])
    one_output_each([Path("a"), Path("b")], method=["dbscan", "kmeans"])
