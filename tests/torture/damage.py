"""Damaged, foreign and missing files of a finished study, each before a stage that reads it."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dkn.__main__ import main
from tests.short_study import Checkout
from tests.torture.corruptions import KINDS, damaged
from tests.torture.counts import Counts, counting
from tests.torture.outcomes import content_of
from tests.workflow_rules import jobs_of_a_run

LONGEST_STAGE = 180  # seconds
SOUND = "sound"  # no damage: the stage must take the file
OF_ANY_FILE = ("truncated", "flipped", "empty", "swapped", "encoding", "gone")


class Hang(BaseException):
    """A stage took too long. No stage may take this for an error of its own, hence the class."""


@dataclass(frozen=True)
class Reader:
    """A job of the study: the stage with its flags, the files that it reads, and those that it writes."""

    arguments: list[str]
    inputs: list[Path]
    outputs: list[str]

    def writing_to(self, folder: Path) -> list[str]:
        """The same stage with its outputs below another folder."""
        places = {output: str(folder / output) for output in self.outputs}
        split = [word.rpartition("=") if word.startswith("--") else ("", "", word) for word in self.arguments]
        return [flag + equals + places.get(value, value) for flag, equals, value in split]


def readers_of(study: Checkout) -> list[Reader]:
    """The jobs of a finished study that run a stage and read results."""
    found = []
    for job in jobs_of_a_run(["all"], study.path, ["short.yaml"]):
        places = [study.path / name for name in job.inputs if name.startswith("results/")]
        files = [file for place in places for file in (sorted(place.glob("*")) if place.is_dir() else [place])]
        inputs = [file.relative_to(study.path) for file in files if not file.name.startswith(".")]
        if job.stage and inputs:
            found.append(Reader(job.stage, inputs, job.outputs))
    return sorted(found, key=lambda reader: reader.arguments)


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(arguments: list[str]) -> tuple[int, list[str]]:
    """Run a stage in this process; return its exit status, and the lines in which it says what is wrong.

    Raises:
        Hang: it takes too long.
        Exception: whatever passes the stage's own handling, which a user would see as a traceback.
    """
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), _at_most(LONGEST_STAGE):
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return status, [line for line in said.getvalue().splitlines() if line.startswith("error:")]


def _judge(reader: Reader, path: Path, kind: str, scratch: Path, counts: Counts) -> None:
    """Run the stage on the damaged file, and count what it makes of it."""
    trial = f"{reader.arguments[0]} with {path} {kind}"
    try:
        status, errors = run(reader.writing_to(scratch))
    except Hang:
        return counts.went_wrong("hangs", trial)
    except Exception as error:
        return counts.went_wrong("tracebacks", f"{trial}: {type(error).__name__}: {str(error)[:300]}")
    if status == 0:
        other = [name for name in reader.outputs if content_of(scratch / name) != content_of(Path(name))]
        if other:
            return counts.went_wrong("wrong", f"{trial}: was taken, and {other[0]} is another")
        counts.taken += 1
    elif kind == SOUND:
        counts.went_wrong("wrong", f"{trial}: is refused: {errors}")
    elif len(errors) != 1 or not (str(path) in errors[0] or str(path.parent) in errors[0]):
        return counts.went_wrong("wrong", f"{trial}: is refused without its name: {errors}")
    else:
        counts.refused += 1
    return None


def damages(study: Checkout, count: int, seed: int, scratch: Path) -> Counts:
    """Damage files of a finished study one after the other, and run a stage that reads each.

    Args:
        study: the study, which is as before afterwards.
        count, seed: how many files are damaged, and what the draws depend on.
        scratch: a folder for what the stages write.
    """
    draw = np.random.default_rng(seed)
    readers = readers_of(study)
    with counting("damaged files") as counts, contextlib.chdir(study.path):
        every = sorted({path for reader in readers for path in reader.inputs})
        for number in range(count):
            reader = readers[int(draw.integers(len(readers)))]
            path = reader.inputs[int(draw.integers(len(reader.inputs)))]
            kinds = [SOUND, *(KINDS if path.suffix in (".json", ".parquet") else OF_ANY_FILE)]
            kind = kinds[number % len(kinds)]
            others = [file for file in every if file.suffix == path.suffix and file != path] or every
            with tempfile.TemporaryDirectory(dir=scratch) as folder, _damaged(path, kind, others, draw):
                counts.tried += 1
                _judge(reader, path, kind, Path(folder), counts)
    return counts


@contextlib.contextmanager
def _damaged(path: Path, kind: str, others: list[Path], draw: np.random.Generator) -> Iterator[None]:
    """A file that is damaged for as long as the block runs."""
    keep = Path(f"{path}.sound")
    path.rename(keep)
    try:
        if kind != "gone":
            shutil.copy2(keep, path)
        if kind not in ("gone", SOUND):
            path.write_bytes(damaged(path, kind, others, draw))
        yield
    finally:
        keep.replace(path)
