"""The parts of ``gpu.py`` that are about a study: its jobs on the device, and what the estimate says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from dkn.run.benchmarks import job_seconds
from dkn.study.config import parse_config
from dkn.study.estimates import estimate_stages
from dkn.study.operations import Workload

ROOT = Path(__file__).parents[1]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with what differs from it, as Snakemake merges them."""
    both = {key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
            for key, value in above.items()}  # fmt: skip
    return {**below, **both}


def estimated_hours(known: int, prompt: int, answer: int) -> list[float]:
    """Return the range of hours that the paper's study estimates for the attribution of LLaMA2-7b's known facts."""
    trees = [yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("config.yaml", "config/paper.yaml")]
    study = parse_config(_merged(*trees))
    model = next(model for model in study.models if model.name == "llama2-7b")
    load = Workload(known, known, 1.0, prompt, answer, candidates=1, subsets=1, with_dkn=0.5)
    stages = estimate_stages(model.shape, "bfloat16", study, (load, load), 1)  # type: ignore[union-attr, arg-type]
    time = next(stage.gpu for stage in stages if stage.stage == "attribution")
    assert time is not None
    return [time.low / 3600, time.high / 3600]


def jobs(device: str, tiny: bool, seconds: float) -> dict[str, Any]:
    """Return the seconds of the default study's jobs with a model, by rule, as far as the time allows.

    Args:
        device: where models run.
        tiny: whether the facts alone are made, the first job.
        seconds: the time that the study may take.
    """
    target = "facts" if tiny else "tables"
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results"
        command = [sys.executable, "-m", "snakemake", "--cores", str(os.cpu_count() or 1), "--quiet", "all", "--nolock"]
        command += [target, "--directory", place, "--config", f"results={results}"]
        command += ["--configfile", str(_overlay(Path(place), device))]
        process = subprocess.Popen(
            [*command, "--snakefile", str(ROOT / "Snakefile")],
            stdout=sys.stderr,
            stderr=sys.stderr,
            start_new_session=True,
        )
        try:
            ended: int | str = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            ended = f"stopped after {seconds:.0f} s"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        by_rule: dict[str, float] = defaultdict(float)
        for path in sorted((results / "benchmarks").rglob("*.tsv")):
            by_rule["/".join(path.relative_to(results / "benchmarks").with_suffix("").parts)] += (
                job_seconds(path) or 0.0
            )
    return {"target": target, "ended": ended, "seconds by job": dict(by_rule)}


def _overlay(folder: Path, device: str) -> Path:
    """Write what differs from the default study, and return the file."""
    path = folder / "gpu.yaml"
    path.write_text(yaml.safe_dump({"compute": {"device": device}}), encoding="utf-8")
    return path
