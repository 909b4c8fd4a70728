"""GPUs for one job: claimed before torch is imported, and free again when the process ends, however it ends.

A claim is a lock on a file, which the operating system drops with the process. Nothing is written that could be stale.
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
SECONDS = 1.0  # between two looks for a free GPU


def _all_gpus() -> list[str]:
    """The identifiers of this machine's GPUs in the order of their numbers; none where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


def claimable_gpus() -> list[str]:
    """The GPUs among which this process has to choose, by identifier: numbers mean different ones in different jobs.

    None where it has no choice: no GPU, or CUDA_VISIBLE_DEVICES names a single one or hides all.
    """
    given = os.environ.get(VISIBLE)
    if given is None:
        return _all_gpus()
    entries = [entry.strip() for entry in given.split(",")]
    if len(entries) < 2 or "-1" in entries:
        return []
    gpus = _all_gpus()
    numbered = {str(number): gpu for number, gpu in enumerate(gpus)}
    whole = {entry: gpu for entry in entries for gpu in gpus if entry and gpu.startswith(entry)}  # may be shortened
    return [{**numbered, **whole}.get(entry, entry) for entry in entries]


def _free_gpus(gpus: Sequence[str], count: int, jobs_per_gpu: int) -> dict[str, FileLock] | None:
    """So many GPUs with their locks, if they have room; those with the fewest jobs first. All of them or none."""
    folder = Path(tempfile.gettempdir()) / f"dkn-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claimed: dict[str, FileLock] = {}
    for place, gpu in itertools.product(range(jobs_per_gpu), gpus):
        if gpu in claimed:
            continue
        lock = FileLock(folder / f"{gpu.replace('/', '-')}.{place}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            claimed[gpu] = lock
        if len(claimed) == count:
            return claimed
    for lock in claimed.values():
        lock.release()
    return None


def _jobs_per_gpu() -> int:
    stated = os.environ.get(JOBS_PER_GPU) or "1"
    if not stated.isdecimal() or int(stated) < 1:
        raise UserError(f"{JOBS_PER_GPU} must be an integer of 1 or more, not {stated!r}")
    return int(stated)


@contextmanager
def claimed_gpus(count: int = 1) -> Iterator[None]:
    """Within the context CUDA_VISIBLE_DEVICES names GPUs that no more than DKN_JOBS_PER_GPU (1) jobs have.

    Where too few have room, it waits. Where there is no choice between GPUs, nothing is changed and nobody waits.

    Args:
        count: how many; all there are where there are fewer.
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
        wanted = "a GPU" if count == 1 else f"{count} GPUs at once"
        print(f"waiting for {wanted}: other jobs have them", file=sys.stderr, flush=True)
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
