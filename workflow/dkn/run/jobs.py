"""What a job finds when it starts: its interpreter, its conda environment, its GPUs."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from dkn.study.config import Study


def put_interpreter_first() -> None:
    """Let jobs' ``python`` be this interpreter, whether or not its environment is activated.

    Where a job has a conda environment, its activation comes later and goes in front again.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])


def pass_to_jobs(study: Study) -> None:
    """What says how jobs run, not what they compute: as parameters of rules, a change would rerun everything."""
    os.environ["DKN_JOBS_PER_GPU"] = str(study.compute.jobs_per_gpu)
    os.environ["DKN_CACHE"] = study.cache or ""


def gpus_of_job(study: Study, wanted: int, limit: int | None) -> int:
    """How many GPUs a job asks for that loads a model which wants so many.

    With ``auto`` none, unless there are said to be some: by a limit, or by a model that wants several.
    """
    device = study.compute.device
    if device == "cpu" or (device == "auto" and limit is None and wanted == 1):
        return 0
    return wanted if limit is None else min(wanted, limit)


def make_environments_whole() -> None:
    """Let pip install everything into new conda environments: what lies in the user's ``~/.local`` does not count."""
    os.environ["PIP_IGNORE_INSTALLED"] = "1"


def require_environment() -> str:
    """Shell code for the start of a job with a conda environment: without its ``python`` in use the job ends there.

    Snakemake activates the environment before the shell is told to stop at errors, so that after a failed activation
    the job would go on with another interpreter. What the user has installed in ``~/.local`` is kept out as well.
    """
    message = "error: the conda environment of this job is not active; python is "
    check = (
        'import os, sys; prefix = os.environ.get("CONDA_PREFIX"); '
        "active = prefix and prefix != sys.argv[1] and os.path.samefile(prefix, sys.prefix); "
        f'sys.exit(None if active else "{message}" + sys.executable)'
    )
    before = os.environ.get("CONDA_PREFIX", "")
    return f"export PYTHONNOUSERSITE=1; python -I -c {shlex.quote(check)} {shlex.quote(before)}; "
