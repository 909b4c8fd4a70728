"""Messages about values that pydantic finds wrong: the key, the problem, and what is allowed there."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pydantic import BaseModel

LONGEST_VALUE = 60  # the most characters of a wrong value that a message shows
_WORDS = {"extra_forbidden": "unknown key", "missing": "missing"}


def location_path(location: tuple[str | int, ...], variants: Container[str] = ()) -> str:
    """Return the location of a problem as a path like ``models.2.layers``, where entries of a list count from 1.

    Args:
        location: keys and indices from 0, as pydantic gives them.
        variants: names of the variants of list entries. Pydantic puts the variant that it takes an entry for after the
            entry's index, and the path leaves it out.
    """
    steps = []
    for depth, step in enumerate(location):
        if isinstance(step, int):
            steps.append(str(step + 1))
        elif not (depth and isinstance(location[depth - 1], int) and step in variants):
            steps.append(step)
    return ".".join(steps)


def problem_message(problem: Mapping[str, Any], owner: type[BaseModel] | None = None) -> str:
    """Return what is wrong, with the wrong value where it is short.

    Args:
        problem: one entry of pydantic's ``ValidationError.errors()``.
        owner: the model of the section that the problem is in; where a key is unknown, the message lists its keys.
    """
    kind = problem["type"]
    if kind == "extra_forbidden" and owner is not None:
        return f"unknown key; allowed: {', '.join(owner.model_fields)}"
    if kind in _WORDS:
        return _WORDS[kind]
    message = problem["msg"].removeprefix("Value error, ")
    value = repr(problem["input"])
    return message if kind == "value_error" or len(value) > LONGEST_VALUE else f"{message} (found {value})"
