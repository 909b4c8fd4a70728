"""How a validation error reads to a person: where, what, and what is allowed there."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pydantic import BaseModel

LONGEST_VALUE = 60  # characters of a wrong value that are still shown
_WORDS = {"extra_forbidden": "unknown key", "missing": "missing"}


def place(location: tuple[str | int, ...], variants: Container[str] = ()) -> str:
    """A location as a path like ``models.2.layers``: entries of a list count from 1.

    The parser adds the variant that it takes an entry for; ``variants`` names those, and they are left out.
    """
    parts = []
    for at, part in enumerate(location):
        if isinstance(part, int):
            parts.append(str(part + 1))
        elif not (at and isinstance(location[at - 1], int) and part in variants):
            parts.append(part)
    return ".".join(parts)


def what(problem: Mapping[str, Any], owner: type[BaseModel] | None = None) -> str:
    """What is wrong, the value found where that helps, and the keys that ``owner`` allows where one is unknown."""
    kind = problem["type"]
    if kind == "extra_forbidden" and owner is not None:
        return f"unknown key; allowed: {', '.join(owner.model_fields)}"
    if kind in _WORDS:
        return _WORDS[kind]
    message = problem["msg"].removeprefix("Value error, ")
    found = repr(problem["input"])
    return message if kind == "value_error" or len(found) > LONGEST_VALUE else f"{message} (found {found})"
