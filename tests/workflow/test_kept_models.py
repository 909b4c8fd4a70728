"""A prepared model outlasts every job that fails to replace it, and the command that failed remakes it later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.short_study import Checkout, short_config
from tests.unit.model_folders import save_tiny_gpt2

MODEL = "results/tiny/model"
START = "    with atomic_folder(output) as folder:\n"
FAILING = f'    raise OSError(5, "the source is gone", str(path))\n{START}'
HANGING = f'    Path("hangs").touch()\n    __import__("time").sleep(600)\n{START}'


@pytest.fixture(scope="module")
def prepared(new_checkout: Callable[[dict], Checkout]) -> Checkout:
    """A study of a model in a local folder, as far as the prepared model."""
    checkout = new_checkout(short_config() | {"models": [{"name": "tiny", "source": "folder", "path": "local"}]})
    (checkout.path / "local").mkdir()
    save_tiny_gpt2(checkout.path / "local")
    result = checkout.run(MODEL)
    assert result.returncode == 0, result.stdout
    return checkout


def content(folder: Path) -> dict[str, tuple[bytes, int, bool]]:
    """Every file of a folder: its bytes, the time of its own last change, and whether it is a link."""
    return {
        path.name: (path.read_bytes(), path.lstat().st_mtime_ns, path.is_symlink())
        for path in folder.iterdir()
        if path.is_file()
    }


def change_stage(checkout: Checkout, lines: str) -> None:
    """Let the stage that prepares the model do something else first, or no longer."""
    module = checkout.path / "workflow" / "dkn" / "commands" / "model_folder.py"
    head, _, tail = module.read_text().partition("-> None:\n")
    docstring, _, body = tail.partition('"""\n')
    module.write_text(f'{head}-> None:\n{docstring}"""\n{lines}{body[body.index(START) + len(START) :]}')


def test_a_model_is_there_after_its_job_failed_and_is_remade_later(prepared: Checkout) -> None:
    before = content(prepared.path / MODEL)
    change_stage(prepared, FAILING)
    result = prepared.run(MODEL)
    assert result.returncode
    assert "the source is gone" in result.stdout
    assert f"{MODEL}: the model that was there before is put back" in result.stdout
    assert content(prepared.path / MODEL) == before
    assert prepared.planned(MODEL) == {"model_folder"}, "what failed is not taken for done"
    change_stage(prepared, START)
    result = prepared.run(MODEL)
    assert result.returncode == 0, result.stdout
    assert content(prepared.path / MODEL).keys() == before.keys()
    assert content(prepared.path / MODEL) != before, "made anew"
    assert not list((prepared.path / MODEL).parent.glob(".*.kept"))
    assert prepared.planned(MODEL) == set()


def test_a_killed_run_loses_no_model(prepared: Checkout) -> None:
    before = content(prepared.path / MODEL)
    change_stage(prepared, HANGING)
    process = subprocess.Popen(
        prepared.command(MODEL),
        cwd=prepared.path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        while not (prepared.path / "hangs").exists():
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert content((prepared.path / MODEL).parent / ".model.kept") == before
    change_stage(prepared, FAILING)
    assert prepared.run("--nolock", MODEL).returncode
    assert content(prepared.path / MODEL) == before, "the next run that fails puts it back"
    change_stage(prepared, START)
    assert prepared.run("--nolock", MODEL).returncode == 0
    assert prepared.planned(MODEL) == set()
