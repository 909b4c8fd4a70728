"""Atomic writing: modes, full and read-only file systems, what killed processes leave, and folders with one owner."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dkn.errors import UserError
from dkn.stages import PACKAGE
from dkn.storage import writing
from dkn.storage.writing import MARK, atomic_file, atomic_folder, owned

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Another Python process, which has begun; it is waited for at the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        yield other


WRITE = """
import sys
from pathlib import Path
from dkn.storage.writing import atomic_file
with atomic_file(Path(sys.argv[1])) as path:
    path.write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""
OWN = """
import sys
from pathlib import Path
from dkn.storage.writing import owned
with owned(Path(sys.argv[1]), print):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_modes_follow_the_umask(umask: int, file: int, folder: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with atomic_file(tmp_path / "file.txt") as path:
            path.write_text("content")
        with atomic_folder(tmp_path / "folder") as path:
            (path / "file").write_text("content")
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == file
    assert (tmp_path / "folder").stat().st_mode & 0o777 == folder


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("block", [atomic_file, atomic_folder])
def test_a_full_disk_is_one_line_and_keeps_what_was_there(block: Any, number: int, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(UserError, match=f"^{target}: cannot be written") as caught, block(target):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_words_of_another_library_say_that_a_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No space left on device"), atomic_file(tmp_path / "table"):
        raise RuntimeError("I/O error: No space left on device (os error 28)\nat length")


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"), atomic_file(tmp_path / "file" / "table.txt"):
        pass


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with process(WRITE, tmp_path / "table.txt") as other:
        other.send_signal(signal.SIGKILL)
    assert [MARK in path.name for path in tmp_path.iterdir()] == [True]
    with atomic_file(tmp_path / "table.txt") as path:
        path.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["table.txt"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with process(WRITE, tmp_path / "table.txt") as other:
        with atomic_file(tmp_path / "table.txt") as path:
            path.write_text("whole")
        other.communicate("end")
    assert other.returncode == 0
    assert (tmp_path / "table.txt").read_text() == "half"


def test_a_folder_has_one_owner_and_the_next_takes_it_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the owner ends or is killed; the one who waits is told who it is."""
    monkeypatch.setattr(writing, "SECONDS", 0.01)
    told: list[str] = []
    with process(OWN, tmp_path / "home") as other:

        def waiting(owner: str) -> None:
            told.append(owner)
            other.kill()

        with owned(tmp_path / "home", waiting) as waited:
            assert waited
            assert (tmp_path / "home").is_dir()
    assert told[0].startswith(f"process {other.pid} on ")
    with owned(tmp_path / "home", waiting) as waited:
        assert not waited
