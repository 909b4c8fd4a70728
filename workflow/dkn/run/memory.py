"""The main memory that a job which loads a model asks for, from the model's folder.

The Snakefile reads this module, so it imports neither torch nor pandas.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from dkn.study.memory import Work, job_bytes
from dkn.study.operations import shape_of

UNKNOWN, PER_BYTE = 8e9, 10  # of a model whose sizes cannot be read: its job says what is wrong with it


def bytes_of_weights(folder: str | Path) -> int:
    """Return the size of a folder's files of weights, in bytes; a link that leads nowhere has none.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    files = [file for file in Path(folder).iterdir() if file.suffix == ".safetensors" and file.exists()]
    return sum(file.stat().st_size for file in files)


def megabytes_of_job(folder: str | Path, dtype: str, work: Work) -> int:
    """Return how many megabytes of main memory a job takes at most.

    Args:
        folder: the prepared model's folder.
        dtype: the type of its weights in the study.
        work: what the job does with the model.
    Raises:
        FileNotFoundError: there is no such folder.
    """
    stored = bytes_of_weights(folder)
    try:
        shape = shape_of(json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return math.ceil((UNKNOWN + PER_BYTE * stored) / 1e6)
    return math.ceil(job_bytes(shape, dtype, stored, work) / 1e6)
