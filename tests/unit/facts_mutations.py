"""Broken facts files and files of templates: good ones with a few seeded changes of bytes and of structure.

A reader may take what comes out or refuse it; it must do so in one line that names the file and the place.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from dkn.errors import UserError
from dkn.facts.schema import GAP
from dkn.facts.sources import FactsSource, read_facts, read_templates

RESOURCES = Path(__file__).parents[2] / "resources" / "facts"
TEMPLATES = read_templates([RESOURCES / "templates.yaml"])
LONGEST_LINE = 600  # characters of a message
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\0",
        "\x1f",
        "\x1b[2J",
        "\ufeff",
        "\u200b",
        "\u0301",
        "\u2028",
        "\u202e",
        "\ud800",
        "\uffff",
    ),
    *("_X_", "{subject}", "{}", "{0}", "$x_1$", "`x`", "..", "~", "null", "2012", "٢٠١٢", "２０１２", "x" * 200_000),
    *(
        "P54",
        "Q30",
        "Q３０",
        "q30",
        "北京",
        "🎌",
        "مصر",
        "a\r\nb",
        "Pele\u0301",
        "In 2012, ",
        "../../x",
        "$(touch ran)",
    ),
)
VALUES = (None, True, False, 0, -1, 2012, 1.5, 1e308, 10**30, [], {}, [[]], [None], {"": None}, *TEXTS)
TOKENS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\\ud800", b"\\u0000", b"\n", b"\r", b"\r\n", b"\t"),
    *(
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x1f\x8b",
        b"NaN",
        b"Infinity",
        b"null",
    ),
    *(
        b"1" * 5000,
        b"[" * 3000,
        b'{"a":' * 1000,
        b"&a ",
        b"*a",
        b"!!python/name:os.system ",
        b"---\n",
        b"? ",
        b"- ",
        b"#",
    ),
)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values below a tree."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in list(children):
        yield (*path, key)
        yield from _places(child, (*path, key))


def changed(tree: Any, draw: random.Random) -> Any:
    """A copy of a tree in which one value is replaced, removed, doubled, wrapped, renamed or spliced with a text."""
    tree = copy.deepcopy(tree)
    *path, last = draw.choice(list(_places(tree)))
    parent = tree
    for step in path:
        parent = parent[step]
    value = parent[last]
    match draw.randrange(6):
        case 0:
            parent[last] = draw.choice(VALUES)
        case 1:
            del parent[last]
        case 2 if isinstance(parent, list):
            parent.append(value)
        case 2 | 3:
            parent[last] = draw.choice([[value], {"x": value}, [value] * 3])
        case 4 if isinstance(parent, dict):
            parent[draw.choice(TEXTS)] = parent.pop(last)
        case _ if isinstance(value, str):
            at = draw.randrange(len(value) + 1)
            parent[last] = value[:at] + draw.choice(TEXTS) + value[at + draw.randrange(3) :]
    return tree


def damaged(content: bytes, draw: random.Random) -> bytes:
    """A file's bytes with one change: a flipped, removed, doubled or inserted piece, another encoding, or a cut end."""
    at, length = draw.randrange(len(content) + 1), draw.randrange(1, 40)
    before, piece, after = content[:at], content[at : at + length], content[at + length :]
    match draw.randrange(7):
        case 0:
            return before + bytes([draw.randrange(256)]) + content[at + 1 :]
        case 1:
            return before + after
        case 2:
            return before + piece + piece + after
        case 3 | 4:
            return before + draw.choice(TOKENS) + content[at:]
        case 5:
            return before
    codecs: list[Callable[[bytes], bytes]] = [
        lambda text: text.decode(errors="replace").encode("utf-16"),
        lambda text: text.decode(errors="replace").encode("latin-1", "replace"),
        lambda text: gzip.compress(text)[:-4],
        lambda text: gzip.compress(text),
        lambda text: text.replace(b"\n", b"\r"),
    ]
    return draw.choice(codecs)(content)


def _dumped(trees: list[Any]) -> bytes:
    return b"".join(json.dumps(tree).encode() + b"\n" for tree in trees)


def broken_facts(seed: int, count: int) -> Iterator[bytes]:
    """Contents of facts files that are broken in most cases; equal seeds give equal files."""
    draw = random.Random(seed)  # noqa: S311
    lines = (RESOURCES / "static.jsonl").read_text(encoding="utf-8").splitlines()
    lines += (RESOURCES / "temporal.jsonl").read_text(encoding="utf-8").splitlines()
    for _ in range(count):
        trees = [json.loads(line) for line in draw.sample(lines, 4)]
        if draw.random() < 0.6:
            number = draw.randrange(len(trees))
            trees[number] = changed(trees[number], draw)
            yield _dumped(trees)
        else:
            content = _dumped(trees)
            for _ in range(draw.randrange(1, 4)):
                content = damaged(content, draw)
            yield content


def broken_templates(seed: int, count: int) -> Iterator[bytes]:
    """Contents of files of templates that are broken in most cases; equal seeds give equal files."""
    draw = random.Random(seed)  # noqa: S311
    every = yaml.safe_load((RESOURCES / "templates.yaml").read_text(encoding="utf-8"))
    for _ in range(count):
        relation = draw.choice(list(every))
        tree = {"Z1": every[relation], "Z2": copy.deepcopy(every[relation])}
        if draw.random() < 0.5:
            yield yaml.safe_dump(changed(tree, draw), allow_unicode=draw.random() < 0.5).encode(errors="replace")
        else:
            content = yaml.safe_dump(tree, allow_unicode=True).encode()
            for _ in range(draw.randrange(1, 4)):
                content = damaged(content, draw)
            yield content


def _wrong_message(message: str, start: str) -> str | None:
    """What is wrong with a refusal; None where it is one short line that begins with the place."""
    if message.isprintable() and len(message) < LONGEST_LINE and re.match(start, message):
        return None
    return f"a bad line: {message[:1000]!r}"


def wrong_about_facts(path: Path) -> tuple[str | None, str | None]:
    """Read a facts file: the message of a refusal, and what is wrong with it or with the facts, or None for each."""
    try:
        facts, _ = read_facts([FactsSource(str(path))], TEMPLATES, 0)
    except UserError as error:
        return str(error), _wrong_message(str(error), rf"{re.escape(str(path))}(:\d+)?: ")
    for fact in facts:
        texts = (fact.fact_id, fact.subject, *fact.answers, fact.query, fact.prompt, *fact.paraphrases, fact.complex)
        for text in texts:
            if text != " ".join(text.split()) or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text):
                return None, f"not plain text: {text!r}"
        if GAP in fact.prompt or not re.fullmatch("[0-9]{4}", fact.date or "2012"):
            return None, f"no prompt or no year: {fact.prompt!r}, {fact.date!r}"
    return None, None


def wrong_about_templates(path: Path) -> tuple[str | None, str | None]:
    """Read a file of templates: the message of a refusal, and what is wrong with it, or None for each."""
    try:
        read_templates([path])
    except UserError as error:
        return str(error), _wrong_message(str(error), f"{re.escape(str(path))}: ")
    return None, None
