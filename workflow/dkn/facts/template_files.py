"""The YAML files of relation templates, of which every value is text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dkn.errors import UserError
from dkn.facts.text import shown

LARGEST = 2**20  # bytes; the bundled templates of 19 relations have about 10,000
MOST_VALUES = 200_000  # values of a file, those that an alias (*) repeats counted each time


def _count(node: yaml.Node, counts: dict[int, int]) -> int:
    """Return how many values a node stands for, itself and all aliases below it written out.

    Args:
        counts: the numbers for nodes that have been counted, by their identity; 0 while a node is being counted.
    Raises:
        YAMLError: the node contains itself.
    """
    if counts.setdefault(id(node), -1) == 0:
        raise yaml.YAMLError("an alias (*) stands for what it is in")
    if counts[id(node)] < 0:
        counts[id(node)] = 0
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        nodes = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
        counts[id(node)] = 1 + sum(_count(part, counts) for part in nodes)
    return counts[id(node)]


class _TextLoader(yaml.BaseLoader):
    """Reads every value as text, calls nothing that a tag names, and refuses repeated keys and endless structures."""

    def get_single_node(self) -> Any:
        """Compose the file's one document; nested aliases would let a small file grow beyond any memory."""
        node = super().get_single_node()
        if node is not None and _count(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"with its aliases (*) written out the file has more than {MOST_VALUES:,} values")
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping, in which no key may be there twice."""
        mapping = super().construct_mapping(node, deep=deep)
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(mapping) < len(keys):
            twice = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise yaml.YAMLError(f"duplicate key {twice!r} in line {node.start_mark.line + 1} and below")
        return mapping


def template_tree(path: Path) -> object:
    """Return the content of a file of templates, not yet validated.

    Raises:
        UserError: the file does not exist or is too large, or is not YAML in UTF-8.
    """
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such templates file")
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: more than {LARGEST:,} bytes; no templates file is that large")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: the templates file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None
    try:
        return yaml.load(text, _TextLoader)  # noqa: S506  # a loader that makes texts, lists and dictionaries only
    except yaml.YAMLError as error:
        raise UserError(f"{path}: broken YAML: {shown(' '.join(str(error).split()))}") from None
    except RecursionError:
        raise UserError(f"{path}: broken YAML: lists or sections within each other without end") from None
