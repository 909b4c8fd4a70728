"""The GPUs of one job, which it claims before torch is imported.

A claim is a lock on a file. The operating system releases it when the process ends, however it ends, and no file says
who holds a GPU, so that none can be out of date.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dkn.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
JOBS_PER_GPU = "DKN_JOBS_PER_GPU"
SECONDS = 1.0  # the time between two attempts to claim a GPU


def _all_gpus() -> list[str]:
    """Return the identifiers of this machine's GPUs in the order of their numbers; none where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return result.stdout.split()


def claimable_gpus() -> list[str]:
    """Return the identifiers of the GPUs among which this process has to choose.

    They are identifiers and not numbers, because a number means different GPUs in different jobs. The list is empty
    where there is no choice: there is no GPU, or CUDA_VISIBLE_DEVICES names a single one or hides all.
    """
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return _all_gpus()
    entries = [entry.strip() for entry in visible.split(",")]
    if len(entries) < 2 or "-1" in entries:
        return []
    gpus = _all_gpus()
    by_number = {str(number): gpu for number, gpu in enumerate(gpus)}
    by_prefix = {entry: gpu for entry in entries for gpu in gpus if entry and gpu.startswith(entry)}
    return [{**by_number, **by_prefix}.get(entry, entry) for entry in entries]


def _free_gpus(gpus: Sequence[str], count: int, jobs_per_gpu: int) -> dict[str, FileLock] | None:
    """Claim ``count`` GPUs, those with the fewest jobs first, or none where fewer have room.

    Returns:
        The lock of every claimed GPU by its identifier, or None.
    """
    folder = Path(tempfile.gettempdir()) / f"dkn-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claimed: dict[str, FileLock] = {}
    for slot, gpu in itertools.product(range(jobs_per_gpu), gpus):
        if gpu in claimed:
            continue
        lock = FileLock(folder / f"{gpu.replace('/', '-')}.{slot}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            claimed[gpu] = lock
        if len(claimed) == count:
            return claimed
    for lock in claimed.values():
        lock.release()
    return None


def _jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU, from DKN_JOBS_PER_GPU; raise UserError where it is no positive integer."""
    value = os.environ.get(JOBS_PER_GPU) or "1"
    if not value.isdecimal() or int(value) < 1:
        raise UserError(f"{JOBS_PER_GPU} must be an integer of 1 or more, not {value!r}")
    return int(value)


@contextmanager
def claimed_gpus(count: int = 1) -> Iterator[None]:
    """Claim GPUs and let CUDA_VISIBLE_DEVICES name them, within the context.

    A GPU is claimed by at most DKN_JOBS_PER_GPU jobs (1 by default). Where too few GPUs have room, the function waits.
    Where there is no choice between GPUs, it changes nothing and does not wait.

    Args:
        count: the number of GPUs, at least 1; all GPUs where there are fewer.
    Raises:
        UserError: DKN_JOBS_PER_GPU is not a positive integer.
    """
    jobs_per_gpu, gpus, before = _jobs_per_gpu(), claimable_gpus(), os.environ.get(VISIBLE)
    if not gpus:
        yield
        return
    count = min(count, len(gpus))
    claim = _free_gpus(gpus, count, jobs_per_gpu)
    if claim is None:
        gpus_in_words = "a GPU" if count == 1 else f"{count} GPUs at once"
        print(f"waiting for {gpus_in_words}: other jobs have them", file=sys.stderr, flush=True)
    while claim is None:
        time.sleep(SECONDS)
        claim = _free_gpus(gpus, count, jobs_per_gpu)
    os.environ[VISIBLE] = ",".join(claim)
    try:
        yield
    finally:
        for lock in claim.values():
            lock.release()
        del os.environ[VISIBLE]
        if before is not None:
            os.environ[VISIBLE] = before
