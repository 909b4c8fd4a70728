"""Run published packages side by side with this project, each in a virtual environment of its own.

The one peer is ``knowledge-neurons`` 0.0.2, the PyPI package of Dai et al.'s (2022) method for GPT-2; what it computes
is told in ``peer_knowledge_neurons.py``. It names no versions of what it needs, so they are pinned here: the newest
at the time of writing, with which it works, and the same as this project's own where both use a package.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGE = "knowledge-neurons==0.0.2"
# What the package imports. It also requires seaborn, which none of its modules imports: so it goes in without them.
PINS = (
    "torch==2.13.0",
    "transformers==5.23.0",
    "tokenizers==0.23.3",
    "huggingface_hub==2.4.0",
    "safetensors==0.8.0",
    "einops==0.8.2",
    "numpy==2.4.6",
    "tqdm==4.70.1",
)
SCRIPT = Path(__file__).with_name("peer_knowledge_neurons.py")


class PeerError(Exception):
    """Why a peer cannot be installed or run, in one line."""


@dataclass(frozen=True)
class PeerScores:
    """What a peer made of one fact.

    Attributes:
        scores: (layers, neurons), as the package returns them: the mean over answer tokens.
        seconds: median wall time of one run; model and process were started before.
        all_seconds: every run's.
        forward_passes: of the model, in one run.
        forward_sequences: sequences in those forward passes.
        greedy_tokens: what the package appended to the prompt in place of the answer's first tokens.
        versions: of the packages at work.
        by_token: (tokens, layers, neurons), the terms of the mean; None unless asked for.
        by_true_token: the same after the true answer tokens; None unless asked for.
    """

    scores: np.ndarray
    seconds: float
    all_seconds: list[float]
    forward_passes: int
    forward_sequences: int
    greedy_tokens: list[int]
    versions: list[str]
    by_token: np.ndarray | None
    by_true_token: np.ndarray | None


def _run(command: Sequence[str | Path], failure: str) -> None:
    """Run a command; if it fails, raise with the line of its output that says why."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=environment)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        raise PeerError(f"{failure}: {errors[0] if errors else f'exit status {done.returncode}'}")


def environment(cache: Path) -> Path:
    """The Python of the peer's virtual environment, made on first use and whenever the pins have changed.

    Args:
        cache: a folder for environments; it is created.
    Raises:
        PeerError: venv or pip failed.
    """
    pins = "\n".join((sys.version, PACKAGE, *PINS))
    digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
    folder = cache.resolve() / f"knowledge-neurons-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if complete.is_file():
        return python
    cache.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", folder], "cannot make a virtual environment for knowledge-neurons")
    pip: list[str | Path] = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    _run([*pip, *PINS], "pip cannot install what knowledge-neurons needs")
    _run([*pip, "--no-deps", PACKAGE], f"pip cannot install {PACKAGE}")
    complete.write_text(f"{pins}\n", encoding="utf-8")
    return python


def knowledge_neurons_scores(
    cache: Path,
    model: Path,
    prompt: Sequence[int],
    answer: Sequence[int],
    *,
    steps: int = 20,
    batch_size: int = 10,
    threads: int = 2,
    repeats: int = 3,
    frozen: bool = False,
    by_token: bool = False,
) -> PeerScores:
    """Scores and seconds of the package for one fact, all layers, in a process of its own.

    Args:
        cache: where virtual environments live.
        model: a folder that ``GPT2LMHeadModel.save_pretrained`` wrote.
        prompt: token ids.
        answer: token ids.
        steps: nodes per layer and answer token.
        batch_size: nodes per forward pass; it must divide ``steps``.
        threads: threads of torch.
        repeats: timed runs, after one warm-up.
        frozen: switch off parameter gradients, which the package itself leaves on.
        by_token: also return the answer tokens' scores one by one.
    Raises:
        PeerError: there is no model, the environment cannot be made, or the package fails.
    """
    if not (model / "config.json").is_file():
        raise PeerError(f"{model}: no model here (config.json is missing)")
    python = environment(cache)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "scores.npz"
        command: list[str | Path] = [python, "-I", SCRIPT, "--model", model, "--output", output]
        command += ["--prompt-tokens", ",".join(map(str, prompt)), "--answer-tokens", ",".join(map(str, answer))]
        for name, value in (("steps", steps), ("batch-size", batch_size), ("threads", threads), ("repeats", repeats)):
            command += [f"--{name}", str(value)]
        command += ["--frozen"] * frozen + ["--by-token"] * by_token
        _run(command, "knowledge-neurons failed")
        with np.load(output) as found:
            return PeerScores(
                scores=found["scores"],
                seconds=float(found["seconds"]),
                all_seconds=found["all_seconds"].tolist(),
                forward_passes=int(found["forward_passes"]),
                forward_sequences=int(found["forward_sequences"]),
                greedy_tokens=found["greedy_tokens"].tolist(),
                versions=found["versions"].tolist(),
                by_token=found["scores_by_token"] if by_token else None,
                by_true_token=found["scores_by_true_token"] if by_token else None,
            )
