"""Tokens in a tokenizer's files against the embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dkn.errors import UserError
from dkn.models.tokens import require_token_files
from tests.unit.one_line import line_of

INSIDE: dict[str, tuple[str, Any]] = {
    "tokens by name": ("tokenizer.json", {"model": {"vocab": {"a": 0, "b": 9}}}),
    "pieces with scores": ("tokenizer.json", {"model": {"vocab": [["a", -1.0], ["b", -2.0]]}}),
    "an added token": ("tokenizer.json", {"added_tokens": [{"content": "<mask>", "id": 9}]}),
    "no list of tokens": ("tokenizer.json", {"model": {"vocab": 3}, "added_tokens": "none"}),
    "vocab.json": ("vocab.json", {"a": 0, "b": 9}),
    "added_tokens.json": ("added_tokens.json", {"<mask>": 9}),
    "tokenizer_config.json": ("tokenizer_config.json", {"added_tokens_decoder": {"9": {"content": "<mask>"}}}),
}


def write(folder: Path, name: str, content: Any) -> None:
    """A folder with this file, and some tokenizer."""
    (folder / "tokenizer.json").write_text("{}")
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize("kind", INSIDE)
def test_tokens_inside_the_embeddings_pass(kind: str, tmp_path: Path) -> None:
    write(tmp_path, *INSIDE[kind])
    require_token_files(tmp_path, 10)


@pytest.mark.parametrize("kind", [kind for kind in INSIDE if kind not in ("pieces with scores", "no list of tokens")])
def test_a_token_beyond_the_embeddings_is_one_line(kind: str, tmp_path: Path) -> None:
    write(tmp_path, *INSIDE[kind])
    with pytest.raises(UserError) as caught:
        require_token_files(tmp_path, 9)
    assert line_of(caught).startswith(f"{tmp_path / INSIDE[kind][0]}: token ")
    assert "has the id 9, the embeddings have 9 rows" in line_of(caught)
    require_token_files(tmp_path, None)


@pytest.mark.parametrize("number", ["1", -1, 0.5, None, True])
def test_an_id_that_is_no_number_is_one_line(number: Any, tmp_path: Path) -> None:
    write(tmp_path, "vocab.json", {"a": number})
    with pytest.raises(UserError, match="allowed: whole numbers from 0"):
        require_token_files(tmp_path, 10)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "vocab.json", "added_tokens.json"])
def test_a_file_that_cannot_be_read_is_one_line(name: str, tmp_path: Path) -> None:
    write(tmp_path, name, [])
    with pytest.raises(UserError) as caught:
        require_token_files(tmp_path, 10)
    assert line_of(caught).startswith(f"{tmp_path / name}: no JSON object")
