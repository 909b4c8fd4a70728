"""``container/Dockerfile``: its steps, done on this machine with a conda that only writes down its calls."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.environments import ENVIRONMENTS, place
from tests.workflow_rules import ROOT

DOCKERFILE = ROOT / "container" / "Dockerfile"
CONDA = '#!/bin/sh\necho "$@" >> "$CALLS"\ncase "$*" in *"$FAILS"*) exit 1;; esac\n'


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def build(root: Path, **environment: str) -> int:
    """Do below a folder what a build does in an image: copies, and commands in the shell that Docker gives them to."""
    for word, rest in instructions():
        if word not in ("COPY", "RUN"):
            continue
        text = re.sub(r"(?<=[ \"])/(?=environments|conda-envs)", f"{root}/", rest)
        command = text if word == "RUN" else f"mkdir -p {text.split()[-1]} && cp {text}"
        result = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, env={**os.environ, **environment}, check=False)
        if result.returncode:
            return result.returncode
    return 0


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """Environment variables for a conda that appends its arguments to a file."""
    program = tmp_path / "bin" / "conda"
    program.parent.mkdir()
    program.write_text(CONDA)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "FAILS": "nothing"}


def test_the_image_starts_from_a_stated_version() -> None:
    words = [word for word, _ in instructions()]
    assert words == ["FROM", "LABEL", "COPY", "RUN"]
    assert re.fullmatch(r"condaforge/miniforge3:\d+\.\d+\.\d+-\d+", instructions()[0][1])


def test_the_steps_make_every_environment_where_it_is_looked_for(tmp_path: Path, stand_in: dict[str, str]) -> None:
    assert build(tmp_path, **stand_in) == 0
    made = [
        f"env create --prefix {tmp_path}/conda-envs/{place(path)} --file {tmp_path}/environments/{path.name}"
        for path in ENVIRONMENTS
    ]
    assert Path(stand_in["CALLS"]).read_text().splitlines() == [*made, "clean --all --yes"]
    for path in ENVIRONMENTS:
        assert (tmp_path / "environments" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("fails", [path.name for path in ENVIRONMENTS])
def test_an_environment_that_is_not_made_ends_the_build(tmp_path: Path, stand_in: dict[str, str], fails: str) -> None:
    assert build(tmp_path, **{**stand_in, "FAILS": fails}) != 0
