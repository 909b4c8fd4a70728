"""Kills of a running study at random moments, and whether what it ends with is what an undisturbed one has."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.short_study import Checkout, make_checkout, short_config
from tests.torture.counts import Counts, counting
from tests.torture.outcomes import differences, results_of

# What is killed, and how: everything at once, as by a machine that goes down; Snakemake alone, so that its jobs go on
# as orphans; one process of a job, as by a system without memory; and Snakemake by the keyboard.
WAYS = ("everything", "everything", "snakemake", "snakemake", "snakemake", "job", "interrupt")
MOMENTS = (2.0, 26.0)  # seconds after a start
# What is left of a study that has come to its end before it was killed often enough.
REMEMBERED = ("facts", "model", "known.parquet", "attribution", "logs", "benchmarks")
LONGEST_RUN = 900  # seconds


def _forget(checkout: Checkout) -> None:
    """Take from a finished study what comes after its attributions, so that there is something to kill again."""
    results = checkout.path / "results"
    for path in [*results.glob("*"), *results.glob("*/*")]:
        if path.is_dir() and path.name not in REMEMBERED and not (path / "model").is_dir():
            shutil.rmtree(path)
        elif path.is_file() and path.name not in REMEMBERED and path.parent.name not in REMEMBERED:
            path.unlink()


@dataclass(frozen=True)
class Undisturbed:
    """A study that nothing disturbs.

    Attributes:
        content: its configuration.
        targets: what is asked for of it; nothing is everything.
        results: what ``results_of`` finds in it.
    """

    content: dict[str, Any]
    targets: tuple[str, ...]
    results: dict[str, object]


def study_to_kill() -> dict[str, Any]:
    """The configuration of a study of one model with all experiments."""
    return {**short_config(("gpt2",)), "groupings": {"methods": ["ntc", "amig"]}}


def _start(checkout: Checkout, targets: Sequence[str]) -> subprocess.Popen[bytes]:
    with (checkout.path / "output.txt").open("ab") as file:
        return subprocess.Popen(
            checkout.command(*targets), cwd=checkout.path, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def _jobs_below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes of stages that a Snakemake runs."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if "dkn" in child.cmdline()[:4]:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def _kill(process: subprocess.Popen[bytes], way: str, draw: random.Random) -> None:
    """Kill in one of the ``WAYS``; where a job is to be killed and none runs, Snakemake is."""
    if way == "everything":
        os.killpg(process.pid, signal.SIGKILL)
    elif way == "interrupt":
        os.killpg(process.pid, signal.SIGINT)
    else:
        jobs = _jobs_below(process) if way == "job" else []
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
            (draw.choice(jobs) if jobs else process).kill()


def _disturbed(
    checkout: Checkout, targets: Sequence[str], kills: int, draw: random.Random, counts: Counts
) -> list[str]:
    """Kill a study until it has had enough; the ways and moments."""
    done: list[str] = []
    while len(done) < kills:
        process, moment, way = _start(checkout, targets), draw.uniform(*MOMENTS), draw.choice(WAYS)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            _kill(process, way, draw)
            process.wait(timeout=LONGEST_RUN)
            done.append(f"{way} after {moment:.1f} s")
            counts.tried += 1
        else:
            if process.returncode:
                said = (checkout.path / "output.txt").read_text(encoding="utf-8")[-2000:]
                counts.went_wrong("wrong", f"{done}: ended by itself with {process.returncode}: {said}")
                break
            _forget(checkout)
        unlocked = checkout.run("--unlock")
        if unlocked.returncode:
            counts.went_wrong("wrong", f"{done}: {unlocked.stdout[-300:]}")
    return done


def kills(undisturbed: Undisturbed, studies: int, per_study: int, seed: int, scratch: Path) -> Counts:
    """Kill studies at random moments, go on with each by the same command, and compare the results at the end.

    Args:
        undisturbed: the same study, finished.
        studies, per_study: how many studies there are, and how often each is killed.
        seed: what the moments and ways depend on.
        scratch: a folder for the studies.
    """
    draw = random.Random(seed)  # noqa: S311 - nothing is secret
    with counting("kills") as counts:
        for number in range(studies):
            folder = scratch / f"killed{number}"
            folder.mkdir()
            checkout = make_checkout(folder, undisturbed.content)
            done = _disturbed(checkout, undisturbed.targets, per_study, draw, counts)
            wrong = _end(checkout, undisturbed)
            if wrong:
                counts.went_wrong(wrong[0], f"study {number}, {', '.join(done)}: {wrong[1]}")
            else:
                counts.taken += len(done)
    return counts


def _end(checkout: Checkout, undisturbed: Undisturbed) -> tuple[str, str] | None:
    """Run a killed study to its end; the kind of fault and what is wrong, or None where all is as it should be."""
    try:
        result = checkout.run(*undisturbed.targets)
    except subprocess.TimeoutExpired:
        return "hangs", "no end"
    if result.returncode:
        return "wrong", f"it did not go on: {result.stdout[-2000:]}"
    _wait_for_orphans(checkout)
    logs = [path for path in (checkout.path / "results" / "logs").rglob("*.log") if _has_traceback(path)]
    if logs:
        return "tracebacks", f"{logs[0]}: {logs[0].read_text(encoding='utf-8')[-500:]}"
    other = differences(results_of(checkout.path / "results"), undisturbed.results)
    if other:
        return "wrong", f"other results: {', '.join(other[:5])}"
    planned = checkout.planned(*undisturbed.targets)
    return ("wrong", f"it is not finished after all: {', '.join(sorted(planned))}") if planned else None


def _has_traceback(log: Path) -> bool:
    return "Traceback (most recent" in log.read_text(encoding="utf-8")


def _wait_for_orphans(checkout: Checkout) -> None:
    """Wait until no stage of the study runs any more."""
    deadline = time.monotonic() + LONGEST_RUN
    while time.monotonic() < deadline:
        if not any(_works_in(process, checkout.path) for process in psutil.process_iter()):
            return
        time.sleep(0.5)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder) and "dkn" in process.cmdline()[:4]
    except psutil.Error:
        return False
