"""The tokens of a model folder as its tokenizer's files list them, compared with the embeddings before the first job.

The tokenizer that transformers makes of the files is compared again when the model is opened (``dkn.models.opening``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dkn.errors import UserError
from dkn.models.weights import json_object

FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_TABLES = ("vocab.json", "added_tokens.json")


def _of_tokenizer(content: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the tokens and ids of a tokenizer.json."""
    model = content.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        yield from vocabulary.items()
    elif isinstance(vocabulary, list):  # pieces with their scores, in the order of their ids
        yield from ((entry[0] if isinstance(entry, list) and entry else entry, i) for i, entry in enumerate(vocabulary))
    added = content.get("added_tokens")
    for entry in added if isinstance(added, list) else ():
        if isinstance(entry, dict):
            yield entry.get("content"), entry.get("id")


def _of_config(content: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the added tokens and ids of a tokenizer_config.json."""
    added = content.get("added_tokens_decoder")
    for number, entry in added.items() if isinstance(added, dict) else ():
        yield entry.get("content") if isinstance(entry, dict) else entry, int(number) if number.isdecimal() else None


def _listed(folder: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the file, the token and the id of every token that a folder's files list."""
    readers = {"tokenizer.json": _of_tokenizer, "tokenizer_config.json": _of_config}
    for name in (*readers, *_TABLES):
        path = folder / name
        if path.is_file():
            content = json_object(path)
            for token, number in readers[name](content) if name in readers else content.items():
                yield path, token, number


def require_token_files(folder: Path, rows: int | None) -> None:
    """Raise unless a folder has a tokenizer, its files can be read, and no token lies beyond the embeddings.

    Args:
        rows: the number of rows of the embeddings; None compares no token with them.
    Raises:
        UserError: the line names the file or the token.
    """
    if not any((folder / name).is_file() for name in FILES):
        raise UserError(f"{folder}: no tokenizer here ({', '.join(FILES[:2])} or {FILES[2]})")
    for path, token, number in _listed(folder):
        if type(number) is not int or number < 0:
            raise UserError(f"{path}: token {token!r} has the id {number!r}; allowed: whole numbers from 0")
        if rows is not None and number >= rows:
            raise UserError(
                f"{path}: token {token!r} has the id {number}, the embeddings have {rows} rows; the tokenizer is not "
                f"this model's"
            )
