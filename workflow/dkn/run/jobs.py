"""The environment of jobs: their interpreter, their conda environment and their GPUs."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from dkn.study.config import Study


def put_interpreter_first() -> None:
    """Make ``python`` in jobs this interpreter, whether or not its environment is activated.

    Where a job has a conda environment, that is activated later and comes first again.
    """
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])


def pass_to_jobs(study: Study) -> None:
    """Put settings that say how jobs run, and not what they compute, into environment variables.

    As parameters of rules, a change of them would rerun everything.
    """
    os.environ["DKN_JOBS_PER_GPU"] = str(study.compute.jobs_per_gpu)
    os.environ["DKN_CACHE"] = study.cache or ""


def gpus_of_job(study: Study, wanted: int, limit: int | None) -> int:
    """Return how many GPUs a job that loads a model asks for.

    With the device ``auto`` it is none, unless a limit or a model that wants several says that there are GPUs.

    Args:
        wanted: how many GPUs the model wants.
        limit: how many GPUs the jobs may hold together; None where nothing limits them.
    """
    device = study.compute.device
    if device == "cpu" or (device == "auto" and limit is None and wanted == 1):
        return 0
    return wanted if limit is None else min(wanted, limit)


def make_environments_whole() -> None:
    """Make pip install everything into new conda environments, even what the user's ``~/.local`` has already."""
    os.environ["PIP_IGNORE_INSTALLED"] = "1"


def _in_environment_only() -> str:
    """Return shell code after which ``python`` runs in the job's own conda environment or ends with one line.

    Snakemake activates the environment before the shell is told to stop at errors, so that after a failed activation
    the job would continue with another interpreter. The code also hides what the user has installed in ``~/.local``.
    """
    message = "error: the conda environment of this job is not active; python is "
    check = (
        'import os, sys; prefix = os.environ.get("CONDA_PREFIX"); '
        "active = prefix and prefix != sys.argv[1] and os.path.samefile(prefix, sys.prefix); "
        f'sys.exit(None if active else "{message}" + sys.executable)'
    )
    before = os.environ.get("CONDA_PREFIX", "")
    ready = f"export PYTHONNOUSERSITE=1; command python -I -c {shlex.quote(check)} {shlex.quote(before)}"
    return f'python() ( {ready} && exec python "$@" ); '


def before_every_job(workflow: Path, with_conda: bool) -> str:
    """Return shell code for the start of every job: it stops at errors, and ``python`` finds this library.

    Python reads and writes text as UTF-8 in jobs, whatever the locale, also where another library opens the file.

    Args:
        workflow: the folder that this library lies in.
        with_conda: whether jobs have conda environments; then ``python`` runs in the job's own one only.
    """
    return f"set -euo pipefail; {_environment(workflow)}{_in_environment_only() if with_conda else ''}"


def _environment(workflow: Path) -> str:
    return f"export PYTHONPATH={shlex.quote(str(workflow))} PYTHONUNBUFFERED=1 PYTHONUTF8=1; "


def before_jobs_of_a_module(workflow: Path, with_conda: bool, already: str | None) -> str:
    """Return the like for the jobs of a workflow that uses this one: nothing but ``python -m dkn`` is changed.

    Args:
        workflow: the folder that this library lies in.
        with_conda: whether jobs have conda environments.
        already: the shell code that every job starts with so far; None where nothing was said.
    """
    run = f"{_in_environment_only()}python" if with_conda else "exec python"
    own = f'{_environment(workflow)}{run} "$@"'
    module = f'python() {{ case "${{1-}} ${{2-}}" in "-m dkn") ( {own} );; *) command python "$@";; esac; }}; '
    before = "set -euo pipefail; " if already is None else already
    return before if module in before else before + module
