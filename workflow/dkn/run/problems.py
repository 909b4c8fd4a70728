"""What the command line says of an error that is no bug of the workflow: one line, without a traceback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dkn.errors import lacks_memory

MOST_LETTERS = 300


def _short(error: BaseException) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split())[:MOST_LETTERS] or type(error).__name__


def in_one_line(error: BaseException, arguments: Sequence[str]) -> str | None:
    """Return what to say of an error that comes from the machine or from a damaged file; None where it is a bug.

    Args:
        error: what a stage raised.
        arguments: the stage's name, its flags and their values; the files among them are named where the error names
            none itself.
    """
    if lacks_memory(error):
        return (
            f"out of memory in stage {arguments[0]} ({_short(error)}): allow the job more (ulimit -v, mem_mb), or "
            f"lower compute.batch and compute.threads"
        )
    if isinstance(error, OSError):
        name = error.filename or error.filename2
        if name is not None:
            return f"{name}: {error.strerror or _short(error)}"
        return f"stage {arguments[0]}: {_short(error)}"
    damaged = isinstance(error, json.JSONDecodeError) or type(error).__module__.split(".")[0].startswith("safetensors")
    if damaged:
        inputs = [value for value in arguments[1:] if not value.startswith("-") and Path(value).exists()]
        return f"stage {arguments[0]}: an input cannot be read ({_short(error)}); it is one of: {', '.join(inputs)}"
    return None
