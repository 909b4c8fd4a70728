"""The files of a configuration as they are written: keys that are given twice, and sections that say nothing.

Snakemake lays one file over the other before the Snakefile sees anything. It keeps the last of two equal keys, and an
empty section changes nothing, even where the schema has a number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dkn.errors import UserError
from dkn.study.trees import DEEPEST, MOST_VALUES
from dkn.validation_messages import location_path

EXPRESSIONS = "__use_yte__"  # this key makes Snakemake evaluate Python in a configuration
MERGE = "tag:yaml.org,2002:merge"

Place = tuple[str | int, ...]


@dataclass
class Written:
    """What a file holds that is lost when it is read.

    Attributes:
        repeated: the places of keys that are given twice in one section, each with the line, or 0 in JSON.
        empty: the places of sections without keys that lie in no list, as lists are replaced whole.
        keys: the keys of the file itself, with those that YAML's ``<<`` merges into it.
    """

    repeated: list[tuple[Place, int]] = field(default_factory=list)
    empty: list[Place] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


class _Pairs(list[tuple[str, Any]]):
    """A section in JSON, with the keys that are given twice."""


# A part of a file: a section's pairs of key and part with the key's line, a list's parts, or None for a plain value.
_Part = list[tuple[str, Any, int]] | tuple[Any, ...] | None


def _of_json(value: Any) -> _Part:
    if isinstance(value, _Pairs):
        return [(key, part, 0) for key, part in value]
    return tuple(value) if isinstance(value, list) else None


def _of_yaml(node: Any) -> _Part:
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), part, key.start_mark.line + 1) for key, part in node.value]
    return tuple(node.value) if isinstance(node, yaml.SequenceNode) else None


def _parts(root: Any, read: Callable[[Any], _Part]) -> Iterator[tuple[Place, _Part]]:
    """Yield every section and list with its place; deep ones, and those of a file that is too large, are left out."""
    todo: list[tuple[Place, Any]] = [((), root)]
    for _ in range(MOST_VALUES):
        if not todo:
            return
        place, value = todo.pop()
        part = read(value)
        if part is None or len(place) > DEEPEST:
            continue
        yield place, part
        if isinstance(part, list):
            todo += [((*place, key), below) for key, below, _line in part]
        else:
            todo += [((*place, index), below) for index, below in enumerate(part)]


def _with_merged(root: yaml.Node | None) -> set[str]:
    """Return the keys of a section in YAML and those that ``<<`` merges into it, through sections that merge others."""
    keys: set[str] = set()
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            keys |= {str(key.value) for key, _ in node.value}
            todo += [value for key, value in node.value if key.tag == MERGE]
    return keys


def written(text: str) -> Written:
    """Return what a file of JSON or YAML holds that is lost when it is read.

    Raises:
        yaml.YAMLError: it is neither.
    """
    found = Written()
    try:
        root = json.loads(text, object_pairs_hook=_Pairs)
        parts = _parts(root, _of_json)
        found.keys = {key for key, _ in root} if isinstance(root, _Pairs) else set()
    except (ValueError, RecursionError):
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        parts = _parts(root, _of_yaml)
        found.keys = _with_merged(root)
    for place, part in parts:
        if not isinstance(part, list):
            continue
        seen: set[str] = set()
        for key, _value, line in part:
            if key in seen:
                found.repeated.append(((*place, key), line))
            seen.add(key)
        if not part and not any(isinstance(step, int) for step in place):
            found.empty.append(place)
    return found


def _empty(tree: object, place: Place = ()) -> Iterator[Place]:
    """Yield the places of sections without keys in what ``--config`` gave."""
    if isinstance(tree, Mapping) and len(place) <= DEEPEST:
        if not tree:
            yield place
        for key, part in tree.items():
            yield from _empty(part, (*place, str(key)))


def _is_section(tree: Any, place: Place) -> bool:
    """Whether a configuration has a section at a place."""
    for step in place:
        if not isinstance(tree, Mapping) or step not in tree:
            return False
        tree = tree[step]
    return isinstance(tree, Mapping)


def _read(path: Path, name: str) -> Written:
    try:
        return written(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{name}: is no text in UTF-8") from None
    except RecursionError:
        raise UserError(f"{name}: sections and lists lie at most {DEEPEST} levels deep") from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: is neither JSON nor YAML: {' '.join(str(error).split())}") from None


def check_overlays(files: Sequence[str | Path], given: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
    """Raise where the files of a configuration hold what Snakemake drops or evaluates.

    Args:
        files: the files of JSON or YAML, in the order in which they were laid over each other.
        given: what ``--config`` said.
        tree: the configuration that they make together.
    Raises:
        UserError: one line per key that is given twice, per empty section where there is none, and per file in which
            Python would be evaluated; each names the file and the key.
    """
    lines = []
    empty = [("--config", place) for place in _empty(given) if place]
    for path in map(Path, files):
        name = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
        found = _read(path, name)
        for place, line in found.repeated:
            lines.append(f"{name}{f':{line}' if line else ''}: {location_path(place)}: is given twice in one section")
        if EXPRESSIONS in found.keys:
            lines.append(f"{name}: {EXPRESSIONS}: a configuration holds values, not expressions; take this key out")
        empty += [(name, place) for place in found.empty if place]
    for name, place in empty:
        if not _is_section(tree, place):
            lines.append(f"{name}: {location_path(place)}: {{}} is an empty section, and this key takes a value")
    if lines:
        raise UserError("\n".join(lines))
