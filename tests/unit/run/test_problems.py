"""Which errors are one line, and which are bugs that keep their traceback."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors import SafetensorError

from dkn import __main__
from dkn.__main__ import OUT_OF_MEMORY, main
from dkn.run.problems import in_one_line

STAGE = ["known", "--facts", "facts.parquet"]
NO_MEMORY = (
    MemoryError(),
    RuntimeError("can't start new thread"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
    ImportError("libarrow.so: failed to map segment from shared object"),
    OSError(12, "Cannot allocate memory"),
)


@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_a_machine_without_memory_is_one_line(error: Exception) -> None:
    line = in_one_line(error, STAGE)
    assert line is not None
    assert line.startswith("out of memory in stage known (")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "some/file"), "some/file: No such file or directory"),
        (PermissionError(13, "Permission denied", Path("a")), "a: Permission denied"),
        (OSError("at\nlength"), "stage known: at length"),
    ],
)
def test_files_that_cannot_be_read_are_named(error: Exception, line: str) -> None:
    assert in_one_line(error, STAGE) == line


@pytest.mark.parametrize("error", [json.JSONDecodeError("bad", "{", 1), SafetensorError("InvalidHeader")])
def test_damaged_inputs_are_among_those_named(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("facts.parquet").touch()
    line = in_one_line(error, [*STAGE, "--output", "new.parquet"])
    assert line is not None
    assert line.endswith("it is one of: facts.parquet")


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), TypeError("x"), RuntimeError("x"), ImportError("x")])
def test_bugs_keep_their_traceback(error: Exception) -> None:
    assert in_one_line(error, STAGE) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [(MemoryError(), OUT_OF_MEMORY), (OSError(5, "Input/output error", "a"), 1), (KeyError(), None)],
)
def test_the_command_line_ends_with_a_line_and_a_status(
    error: Exception, status: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stage() -> None:
        raise error

    original = __main__.importlib.import_module

    def load(name: str, **settings: str) -> Any:
        return SimpleNamespace(main=stage) if name == "dkn.commands.known" else original(name, **settings)

    monkeypatch.setattr(__main__.importlib, "import_module", load)
    if status is None:
        with pytest.raises(type(error)):
            main(["known"])
        return
    assert main(["known"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
