"""What the command line does around a stage: how many GPUs it claims, before the stage imports torch."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from dkn import __main__
from dkn.__main__ import gpus_wanted, imported, main
from dkn.stages import PACKAGE
from tests.unit.made_up_gpus import GPUS, Machine


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["known", "--device", "auto"], 1),
        (["known", "--device", "cuda", "--dtype", "float32"], 1),
        (["known", "--device", "cpu"], 0),
        (["known", "--device", "cpu", "--gpus", "2"], 0),
        (["known", "--output", "cuda"], 0),
        (["known", "--device", "auto", "--gpus", "2"], 2),
        (["known", "--device", "auto", "--gpus", "0"], 1),
        (["known", "--device", "auto", "--gpus", "two"], 1),
        (["known", "--gpus", "2"], 0),
    ],
)
def test_stages_on_gpus_are_told_by_their_flags(arguments: list[str], expected: int) -> None:
    assert gpus_wanted(arguments) == expected


@pytest.mark.parametrize(("device", "expected"), [("cuda", GPUS[0]), ("cpu", None)])
def test_a_stage_sees_its_gpu_when_it_is_imported(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, device: str, expected: str | None
) -> None:
    machine(2)
    seen: list[str | None] = []

    def stage(device: str = "") -> None:
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))

    def load(name: str, *package: str, **settings: str) -> Any:
        if name != "dkn.commands.known":
            return original(name, *package, **settings)
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return SimpleNamespace(main=stage)

    monkeypatch.delitem(sys.modules, "dkn.commands.known", raising=False)  # as in a process of its own
    original = __main__.importlib.import_module
    monkeypatch.setattr(__main__.importlib, "import_module", load)
    with pytest.raises(SystemExit) as ended:
        main(["known", "--device", device])
    assert ended.value.code == 0
    assert seen == [expected, expected]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_claims_come_before_torch() -> None:
    code = "import sys, dkn.__main__; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, check=True)


@pytest.mark.parametrize("problem", [None, ImportError("no such library")])
def test_an_import_is_not_searched_for_garbage(monkeypatch: pytest.MonkeyPatch, problem: Exception | None) -> None:
    searched: list[bool] = []

    def load(_: str) -> Any:
        searched.append(gc.isenabled())
        if problem:
            raise problem
        return SimpleNamespace()

    monkeypatch.delitem(sys.modules, "dkn.commands.known", raising=False)
    monkeypatch.setattr(__main__.importlib, "import_module", load)
    before = gc.get_freeze_count()
    with pytest.raises(ImportError) if problem else nullcontext():
        imported("known")
    assert searched == [False]
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.unfreeze()
