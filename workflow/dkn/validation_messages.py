"""Messages about values that pydantic finds wrong: the key, the problem, and what is allowed there."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pydantic import BaseModel

LONGEST_VALUE = 60  # the most characters of a wrong value that a message shows
LONGEST_NUMBER = 200  # bits of the largest whole number that is written out
_WORDS = {"extra_forbidden": "unknown key", "missing": "missing"}


def _small(value: object, room: int = LONGEST_VALUE) -> bool:
    """Whether a value can be written out in about this many characters; it is looked at no further than that."""
    if isinstance(value, int):
        return value.bit_length() <= LONGEST_NUMBER
    if isinstance(value, Mapping):
        return len(value) < room and all(_small(part, room // 3) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return len(value) < room and all(_small(part, room // 3) for part in value)
    return True


def shown(value: object) -> str | None:
    """Return a value as a message shows it, in one line; None where it is too long for that.

    A part of a long text is shown, and of a number with many digits how many there are.
    """
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[: LONGEST_VALUE // 2]!r}…"
    if isinstance(value, int) and not _small(value):
        return f"a number of about {round(value.bit_length() * 0.30103):,} digits"
    text = repr(value) if _small(value) else ""
    return text if 0 < len(text) <= LONGEST_VALUE and text.isprintable() else None


def _step(key: str) -> str:
    """Return a key as a path shows it: as it is, or in quotes and cut where it is long or could not be read."""
    plain = key.isprintable() and key == key.strip() and 0 < len(key) <= LONGEST_VALUE
    return key if plain else shown(key) or repr(key[: LONGEST_VALUE // 6])


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
            steps.append(_step(step))
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
    value = None if kind == "value_error" else shown(problem["input"])
    return message if value is None else f"{message} (found {value})"
