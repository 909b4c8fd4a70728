"""A conda for the session, and a checkout of the workflow with its environments made by it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.environments import requirements
from tests.short_study import Checkout, short_config
from tests.workflow.conftest import new_checkout

from .local_conda import PYTHON, install

__all__ = ["new_checkout"]

# A line that every interpreter runs at its start, put into each environment: it says who was started, for what.
RECORDER = """import os, sys; path = os.environ.get("DKN_TEST_INTERPRETERS"); \
path and open(path, "a").write("\\t".join([sys.prefix, *sys.orig_argv[1:4]]) + "\\n")
"""
# What someone may have installed for themselves, and what must not be found by jobs or be taken as installed by pip.
INTRUDER = 'raise ImportError("the user\'s own packages are in reach of the jobs")\n'
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


@dataclass(frozen=True)
class CondaCheckout:
    """A checkout whose jobs run in conda environments."""

    checkout: Checkout
    conda: Path
    environments: Path
    interpreters: Path

    def run(self, *arguments: str) -> CompletedProcess[str]:
        """Run Snakemake with ``--use-conda``."""
        return self.checkout.run("--use-conda", "--conda-prefix", str(self.environments), *arguments)

    def started(self) -> list[tuple[Path, str]]:
        """The environment and the stage of every interpreter that the last run started for a stage, in order."""
        lines = [line.split("\t") for line in self.interpreters.read_text().splitlines()]
        return [(Path(line[0]), line[3]) for line in lines if line[1:3] == ["-m", "dkn"]]


def _install_for_the_user(folder: Path, name: str, version: str) -> None:
    site = folder / "lib" / PYTHON / "site-packages"
    about = site / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(METADATA.format(name=name, version=version))
    (about / "RECORD").touch()
    (site / f"{name}.py").write_text(INTRUDER)


@pytest.fixture(scope="session")
def conda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program of a new conda, first in ``PATH``, for a user with a broken typer of their own."""
    folder = tmp_path_factory.mktemp("conda")
    program = install(folder / "root", folder / "channels")
    _install_for_the_user(folder / "user", "typer", requirements()["typer"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(program.parent), prepend=":")
        patch.setenv("PYTHONUSERBASE", str(folder / "user"))
        patch.delenv("PYTHONNOUSERSITE", raising=False)
        patch.setenv("PIP_NO_COMPILE", "1")
        # As for someone who has activated the environment that Snakemake itself is in.
        patch.setenv("CONDA_PREFIX", sys.prefix)
        patch.setenv("CONDA_SHLVL", "1")
        yield program


@pytest.fixture(scope="session")
def with_conda(
    conda: Path, new_checkout: Callable[[dict], Checkout], tmp_path_factory: pytest.TempPathFactory
) -> CondaCheckout:
    """The shortened study of one model with too few facts for fine-tuning: environments made, nothing run."""
    folder = tmp_path_factory.mktemp("environments")
    content = short_config(("gpt2",))
    content["experiments"]["fine_tuning"]["minimum"] = 999
    made = CondaCheckout(new_checkout(content), conda, folder, folder / "interpreters.tsv")
    result = made.run("--conda-create-envs-only")
    assert result.returncode == 0, result.stdout[-4000:]
    for site in folder.glob(f"*/lib/{PYTHON}/site-packages"):
        (site / "recorder.pth").write_text(RECORDER)
    return made
