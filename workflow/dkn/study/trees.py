"""What a configuration may be made of, before the schema sees it: sections, lists, and plain values of bounded size.

A YAML file may also hold dates, sets, keys that are numbers, lists that hold themselves, and numbers of any length.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from dkn.errors import UserError
from dkn.validation_messages import location_path, shown

DEEPEST = 12  # levels of sections and lists; the schema has six
MOST_VALUES = 20_000
MOST_LETTERS = 10_000  # of a text
MOST_LINES = 50  # of mistakes; nobody mends more of them at once
LARGEST = 2**63  # whole numbers beyond it have no use, and fit no table
# Characters that a line of a log or of a command cannot hold, or that nobody would see in it: controls, separators of
# lines and paragraphs, half characters, and invisible signs but the two that words of some scripts need.
UNWRITABLE = ("Cc", "Zl", "Zp", "Cs", "Cf")
JOINERS = "\u200c\u200d"

Location = tuple[str | int, ...]


def unwritable(text: str) -> str | None:
    """Return the first character of a text that a line cannot hold, as ``U+0000``; None where there is none."""
    if text.isascii() and text.isprintable():
        return None
    found = (letter for letter in text if unicodedata.category(letter) in UNWRITABLE and letter not in JOINERS)
    return next((f"U+{ord(letter):04X}" for letter in found), None)


def _problem_of_text(text: str) -> str | None:
    if len(text) > MOST_LETTERS:
        return f"a text has at most {MOST_LETTERS:,} characters, not {len(text):,}"
    letter = unwritable(text)
    return f"a text must not hold line breaks or other characters without a form (found {letter})" if letter else None


def _problem_of_value(value: object) -> str | None:
    """Return what is wrong with one value that is neither a section nor a list, whatever its key is."""
    if isinstance(value, str):
        return _problem_of_text(value)
    if isinstance(value, int) and abs(value) >= LARGEST:
        return f"a whole number lies between -2^63 and 2^63 (found {shown(value)})"
    if value is None or isinstance(value, int | float):
        return None
    kind = type(value).__name__
    return (
        f"must be a section, a list, a number, true, false, null or text; YAML reads a {kind} here; text needs quotes"
    )


def _problem_of_key(key: object) -> str | None:
    if isinstance(key, str):
        return _problem_of_text(key)
    kind = "true or false" if isinstance(key, bool) else "a number" if isinstance(key, int | float) else None
    kind = "null" if key is None else kind or f"a {type(key).__name__}"
    return f"unknown key; keys are text, and YAML reads {kind} here"


def _as_written(key: object) -> str:
    """Return a key that is no text about as it stands in YAML."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(shown(key)) if isinstance(key, int | float | tuple) else str(key)


def _problems(tree: object) -> Iterator[tuple[Location, str]]:
    """Yield everything in a configuration that is none of its parts, with its location; one that is too large ends it.

    Entries are counted as they are met, so that aliases in YAML, which repeat a part, cannot make them endless.
    """
    count = 0
    todo: list[tuple[Location, object]] = [((), tree)]
    while todo:
        location, value = todo.pop()
        count += 1
        if count > MOST_VALUES:
            yield location[:1], f"holds too much: a configuration has at most {MOST_VALUES:,} values"
            return
        if isinstance(value, dict | list) and len(location) > DEEPEST:
            yield location[:2], f"sections and lists lie at most {DEEPEST} levels deep"
            return
        if isinstance(value, dict):
            for key, part in value.items():
                here = (*location, key if isinstance(key, str) else _as_written(key))
                if problem := _problem_of_key(key):
                    yield here, problem
                else:
                    todo.append((here, part))
        elif isinstance(value, list):
            todo += [((*location, index), part) for index, part in enumerate(value)]
        elif problem := _problem_of_value(value):
            yield location, problem


def check_tree(tree: object) -> None:
    """Raise where a configuration is no tree of sections, lists and plain values, or is far too large.

    Raises:
        UserError: one line per mistake, which names its key.
    """
    if not isinstance(tree, dict):
        raise UserError(f"config: must be a section, keys with their values (found {shown(tree) or 'something else'})")
    problems = islice(_problems(tree), MOST_LINES)
    lines = [f"config: {location_path(location)}: {problem}" for location, problem in problems]
    if lines:
        raise UserError("\n".join(lines))


def copy_with(tree: Any, changes: Mapping[Location, Any]) -> Any:
    """Return a copy of a configuration with other values at some locations; a location without a value is left out.

    Args:
        tree: a configuration that has passed ``check_tree``; it is not changed.
        changes: the new values, by keys and indices from 0.
    """

    def copied(value: Any, location: Location) -> Any:
        if location in changes:
            return changes[location]
        if isinstance(value, dict):
            return {key: copied(part, (*location, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [copied(part, (*location, index)) for index, part in enumerate(value)]
        return value

    return copied(tree, ())
