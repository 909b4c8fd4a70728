"""Tokenizers that share no code with the library's: from what a GGUF file lists, text by text, slowly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import gguf

NORMAL = 1  # the kind of a token that is neither special nor a byte
# GPT-2's way to split texts, in the letters of the standard library's expressions.
GPT2 = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def _merged(pieces: list[str], ranks: dict[tuple[str, str], float] | dict[str, float], *, pairs: bool) -> list[str]:
    """Join two neighbours, those of the lowest rank first and the first of equals, until none has a rank."""
    while True:
        found = [
            (rank, place)
            for place, (one, other) in enumerate(pairwise(pieces))
            if (rank := ranks.get((one, other) if pairs else one + other)) is not None  # type: ignore[call-overload]
        ]
        if not found:
            return pieces
        _, place = min(found)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]


@dataclass(frozen=True)
class SentencePiece:
    """BPE over the whole text by the scores of pieces, as SentencePiece and llama.cpp do it; no space before a text."""

    numbers: dict[str, int]
    ranks: dict[str, float]

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, the beginning token not among them."""
        found: list[int] = []
        for piece in _merged(list(text.replace(" ", "▁")), self.ranks, pairs=False):
            whole = [self.numbers[piece]] if piece in self.numbers else []
            found += whole or [self.numbers[f"<0x{byte:02X}>"] for byte in piece.encode()]
        return found


@dataclass(frozen=True)
class ByteLevel:
    """BPE over bytes within words by the order of merges, where each digit is a word of its own."""

    numbers: dict[str, int]
    ranks: dict[tuple[str, str], float]

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        words = [
            word for part in re.split(r"(\d)", text) for word in ([part] if part.isdigit() else GPT2.findall(part))
        ]
        letters = [[_LETTERS[byte] for byte in word.encode()] for word in words]
        return [self.numbers[piece] for word in letters for piece in _merged(word, self.ranks, pairs=True)]


def _letters() -> dict[int, str]:
    """The letter by which a byte-level vocabulary writes each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}


_LETTERS = _letters()


def tokenizer_in(path: Path) -> SentencePiece | ByteLevel:
    """The tokenizer that a GGUF file lists."""
    fields = gguf.GGUFReader(path).fields
    of: dict[str, Sequence] = {
        key: fields[f"tokenizer.ggml.{key}"].contents()
        for key in ("tokens", "scores", "token_type", "merges")
        if f"tokenizer.ggml.{key}" in fields
    }
    numbers = {token: number for number, token in enumerate(of["tokens"])}
    if "merges" in of:
        ranks = {tuple(merge.split(" ")): float(rank) for rank, merge in enumerate(of["merges"])}
        return ByteLevel(numbers, ranks)  # type: ignore[arg-type]
    kinds = zip(of["tokens"], of["scores"], of["token_type"], strict=True)
    return SentencePiece(numbers, {token: -score for token, score, kind in kinds if kind == NORMAL})
