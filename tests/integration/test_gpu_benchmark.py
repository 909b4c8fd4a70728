"""The script of the measurements on a GPU, with tiny models on the CPU."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)


def test_all_parts_measure_something() -> None:
    done = run("--tiny", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"machine", "rate", "parity", "large", "study"}
    assert not [name for name, part in found.items() if "error" in part or "skipped" in part], done.stderr
    parity = {name: part for name, part in found["parity"].items() if isinstance(part, dict)}
    assert {part["within 1e-4"] for name, part in parity.items() if name.endswith("float32")} == {True}
    assert all(0 < parity[f"{name}, bfloat16"]["amig"] < 1 for name in ("gpt2-nano", "llama-nano", "GPT-2"))
    large = found["large"]
    assert [row["facts in a batch"] for row in large["attribution"]] == [1, 2]
    assert all(row["facts a second"] > 0 and row["share of the bfloat16 rate"] > 0 for row in large["attribution"])
    best = max(row["facts a second"] for row in large["attribution"])
    assert math.isclose(large["hours for 10,693 facts"], 10_693 / best / 3600)
    assert 0 < large["estimated hours"][0] < large["estimated hours"][1]
    assert all(value > 0 for value in large["interventions a second"].values())
    assert large["neuron tuning"]["milliseconds a step"] > 0
    assert large["time goes to"]["kernels"] > 0
    assert found["study"]["ended"] == 0
    assert found["study"]["seconds by job"]["facts"] > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("arguments", "message"), [((), "PyTorch sees no GPU here"), (("--device", "cpu"), "use --tiny with --device cpu")]
)
def test_what_cannot_be_measured_is_refused(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not done.stdout
