"""Claims of GPUs by processes of their own, on machines whose driver is a script that lists made-up GPUs."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from dkn.errors import UserError
from dkn.run import gpus as devices
from tests.unit.made_up_gpus import GPUS, Machine

WORKFLOW = Path(__file__).parents[3] / "workflow"
HOLD = """
import os, sys
from dkn.run import gpus as devices
devices.SECONDS = 0.01
with devices.claimed_gpus(int(sys.argv[1])):
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def job() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that claims GPUs, says which, and ends with a line on its standard input."""
    started: list[subprocess.Popen[str]] = []

    def start(gpus: int = 1) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLD, str(gpus)],
                env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(stream: IO[str] | None) -> str:
    """What a process says next; nothing where it is silent for long."""
    assert stream
    return stream.readline().strip() if select.select([stream], [], [], 30)[0] else ""


def said(process: subprocess.Popen[str]) -> str:
    """The GPU that a process has; waits until there is one."""
    return line(process.stdout)


def is_waiting(process: subprocess.Popen[str]) -> bool:
    """Whether a process says that it waits. (One that has a GPU says so on the other stream, and then nothing.)"""
    either = select.select([process.stdout, process.stderr], [], [], 30)[0]
    return either == [process.stderr] and line(process.stderr).startswith("waiting for")


def test_jobs_that_run_together_have_different_gpus(machine: Machine, job: Callable) -> None:
    machine(3)
    processes = [job() for _ in range(3)]
    assert sorted(said(process) for process in processes) == GPUS


def test_with_more_jobs_than_gpus_the_last_waits_for_one(machine: Machine, job: Callable) -> None:
    machine(2)
    first, second = job(), job()
    owner = {said(first): first, said(second): second}
    assert set(owner) == set(GPUS[:2])
    third = job()
    assert is_waiting(third)
    owner[GPUS[1]].communicate("\n")  # ends well
    assert said(third) == GPUS[1]


def test_a_killed_job_leaves_its_gpu(machine: Machine, job: Callable) -> None:
    machine(1)
    first = job()
    assert said(first) == GPUS[0]
    second = job()
    assert is_waiting(second)
    first.kill()
    assert said(second) == GPUS[0]


def test_jobs_share_only_when_every_gpu_has_one(machine: Machine, job: Callable) -> None:
    machine(2, jobs_per_gpu=2)
    found = []
    for _ in range(4):
        found.append(said(job()))
    assert set(found[:2]) == set(found[2:]) == set(GPUS[:2])
    assert is_waiting(job())


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1,2", GPUS[1:]),
        (" 2 , 0", [GPUS[2], GPUS[0]]),
        ("GPU-bbbb-1,GPU-aaaa", [GPUS[1], GPUS[0]]),  # CUDA takes the beginning of an identifier too
        ("MIG-1,MIG-2", ["MIG-1", "MIG-2"]),
        ("1", []),
        ("GPU-cccc", []),
        ("", []),
        ("-1", []),
        (None, GPUS),
    ],
)
def test_what_is_visible_is_what_may_be_claimed(machine: Machine, visible: str | None, expected: list[str]) -> None:
    machine(3, visible)
    assert devices.claimable_gpus() == expected


def test_a_job_may_have_several(machine: Machine, job: Callable) -> None:
    machine(3)
    assert said(job(2)) == f"{GPUS[0]},{GPUS[1]}"
    assert said(job()) == GPUS[2]


def test_a_job_that_wants_several_holds_none_while_it_waits(machine: Machine, job: Callable) -> None:
    machine(2)
    first = job()
    assert said(first) == GPUS[0]
    both = job(2)
    assert is_waiting(both)
    second = job()
    assert said(second) == GPUS[1]
    for process in (first, second):
        process.communicate("\n")
    assert said(both) == f"{GPUS[0]},{GPUS[1]}"


@pytest.mark.parametrize(("visible", "expected"), [(None, f"{GPUS[0]},{GPUS[1]}"), ("1,0", f"{GPUS[1]},{GPUS[0]}")])
def test_more_than_there_are_is_all_of_them(
    machine: Machine, job: Callable, visible: str | None, expected: str
) -> None:
    machine(2, visible)
    assert said(job(4)) == expected


def test_several_with_shared_gpus_are_different_ones(machine: Machine, job: Callable) -> None:
    machine(2, jobs_per_gpu=2)
    assert [set(said(job(2)).split(",")) for _ in range(2)] == [set(GPUS[:2])] * 2
    assert is_waiting(job())


def test_numbers_of_two_views_mean_the_same_gpu(
    machine: Machine, job: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that may use 1 and 2 keeps clear of what a job without a restriction has."""
    machine(3, visible="1,2")
    assert said(job()) == GPUS[1]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert {said(job()), said(job())} == {GPUS[0], GPUS[2]}


@pytest.mark.parametrize("visible", ["2", ""])
def test_a_single_gpu_that_was_given_is_left_alone(machine: Machine, job: Callable, visible: str) -> None:
    """As in a job of a cluster: any number of processes see what they were given, and none waits."""
    machine(3, visible)
    assert [said(job()), said(job())] == [visible, visible]


def test_without_a_driver_nothing_happens(machine: Machine, job: Callable, tmp_path: Path) -> None:
    machine(0)
    assert said(job()) == "None"
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert said(job()) == "None"


@pytest.mark.parametrize("stated", ["0", "-1", "two"])
def test_a_number_of_jobs_that_makes_no_sense_is_one_line(machine: Machine, stated: str) -> None:
    machine(1, jobs_per_gpu=stated)
    with pytest.raises(UserError, match="DKN_JOBS_PER_GPU must be an integer of 1 or more"), devices.claimed_gpus():
        pass
