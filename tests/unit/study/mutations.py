"""Configurations with mistakes that are drawn by a seed: every key gets values that nobody should write there."""

from __future__ import annotations

import copy
import datetime
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dkn.errors import UserError
from dkn.study.config import parse_config
from tests.unit.study.configurations import DEFAULT, MODELS, PARTS

SHAPE = {
    **{"architecture": "llama", "layers": 2, "width": 8, "heads": 2, "kv_heads": 1, "neurons": 8, "vocabulary": 300},
    **{"context": 64, "tied": True, "head_size": 4},
}
LONGEST_ANSWER = 10  # seconds
LONGEST_LINE = 1000  # characters of a message; a line of allowed keys is the longest


def whole_study() -> dict[str, Any]:
    """Return a configuration that has every key of the schema: models and facts of all sources."""
    tree = copy.deepcopy(DEFAULT)
    own = {"dtype": "bfloat16", "gpus": 2, "training_gpus": 2}
    tree["models"] = [{**model, **own, "name": f"{source}-model"} for source, model in copy.deepcopy(MODELS).items()]
    for model in tree["models"]:
        if model["source"] in ("hub", "gguf", "wheel"):
            model["shape"] = dict(SHAPE)
        if model["source"] == "trained":
            model["seeds"] = 2
    tree["models"] += [
        {"name": "cut", "source": "gguf", "paths": ["a.part0", "a.part1"], "sha256": "0" * 64},
        {"name": "packed", "source": "wheel", "packages": copy.deepcopy(PARTS)},
    ]
    tree["facts"]["sources"] += [
        {"path": "own.jsonl", "sha256": "0" * 64},
        {"url": "http://a.org/b.jsonl", "sha256": None, "allow_http": True},
    ]
    tree["facts"]["templates"] = ["own.yaml"]
    tree["clustering"]["tau1"] = {"quantile": 0.5}
    tree["figures"]["example_fact"] = "a_P54_2012"
    tree["reference"] = "own"
    tree["cache"], tree["container"] = "cache", "docker://a.org/b:1"
    return tree


def _deep(inner: Any, levels: int, section: bool) -> Any:
    for _ in range(levels):
        inner = {"a": inner} if section else [inner]
    return inner


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _bomb() -> list[Any]:
    """Return lists within lists that repeat each other, as aliases in YAML do, 10⁹ entries in all."""
    bomb: list[Any] = ["x"] * 10
    for _ in range(8):
        bomb = [bomb] * 10
    return bomb


TEXTS = [
    *(
        "",
        " ",
        "x",
        "1",
        "-1",
        "0.5",
        "1e-3",
        "1e999",
        "1_000",
        "0x10",
        "١",
        ".5",
        "3.0",
        "nan",
        ".inf",
        "null",
        "None",
        "~",
    ),
    *("true", "True", "yes", "off", "[1, 2]", "{}", "{x}", "{input}", "a b", "Bob's", 'a"b', "r&d", "r; touch ran"),
    *(
        "$(touch ran)",
        "`touch ran`",
        "$HOME",
        "~/x",
        "-x",
        "--flag",
        "*",
        "#",
        "a#sha256=b",
        "..",
        ".",
        "/",
        "a//b/",
        "./a",
    ),
    *(
        "../../..",
        ".snakemake",
        "results",
        "results/x",
        "own.jsonl",
        "facts",
        "report.html",
        "REPORT.HTML",
        "facts.log",
    ),
    *(
        "a\nb",
        "a\r",
        "a\0b",
        "a\x85b",
        "a\u2028b",
        "\x1b[31m",
        "\ud800",
        "\u202ea",
        "é",
        "模型",
        "🙂",
        "%s",
        "{0}",
        "\\",
        "|",
    ),
    *(
        "x @ file:///x",
        "1; touch ran",
        "1.0.*",
        "a/b/c",
        "a/../b",
        "a/b.git",
        "a/b--c",
        "http://",
        "http://a",
        "https://[",
        "x" * 300,
    ),
    *(
        "https://u:secret@a.org/x?token=secret",
        "http://a:99999/",
        "s3://bucket/x",
        "docker://a b",
        "x" * 20_000,
        "y/" * 600,
    ),
]
NUMBERS = [
    *(
        0,
        1,
        2,
        -1,
        3.5,
        1e-300,
        5e-324,
        1e308,
        float("nan"),
        float("inf"),
        -float("inf"),
        10**6,
        10**9,
        2**31,
        2**63,
        -(2**63),
    ),
    *(10**400, 10**5000, -(10**5000), True, False),
]
STRANGERS = [None, datetime.date(2012, 1, 1), datetime.datetime(2012, 1, 1), b"a", {"a"}, (1, 2), 1j, object()]
KEYS = [
    1,
    0,
    -1,
    1.5,
    True,
    None,
    (1, 2),
    datetime.date(2012, 1, 1),
    float("nan"),
    10**5000,
    "",
    " ",
    "a\nb",
    "\ud800",
    "{x}",
]
KEYS += ["a.b", "__use_yte__", "Seed", "x" * 300, "model_config", "(number)", "path", "1"]


def _containers() -> list[Any]:
    values: list[Any] = [[], {}, [[]], [{}], [None], {"a": 1}, {1: 2}, [1] * 2000, _circle(), _bomb()]
    values += [_deep(1, levels, section) for levels in (3, 50, 500) for section in (True, False)]
    return [*values, {f"key{number}": number for number in range(3000)}, ["x"] * 30_000]


@dataclass
class Mutant:
    """A configuration with mistakes.

    Attributes:
        tree: the configuration.
        places: the keys that were changed, as dotted paths with entries of lists counted from 1; ``""`` is the top.
        what: what was done.
        taken: whether it was taken for a study.
    """

    tree: Any
    places: list[str] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    taken: bool = False


def _places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the location of every key and entry below a part of the configuration."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in pairs:
        yield (*place, key)
        yield from _places(part, (*place, key))


def _dotted(place: tuple[Any, ...]) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in place)


PLACES = list(_places(whole_study()))


def _wrong(draw: random.Random, value: Any) -> Any:
    """Return something to write in place of a value."""
    kind = draw.randrange(8)
    if kind < 3:
        return draw.choice(TEXTS)
    if kind == 3:
        return draw.choice(NUMBERS)
    if kind == 4:
        return draw.choice(STRANGERS)
    if kind == 5:
        return draw.choice(_containers())
    return draw.choice([str(value), [value], {"value": value}, [value, value], f" {value} ", f"{value}\n"])


def _has(part: Any, step: str | int) -> bool:
    """Whether a part of a configuration has a key or an entry."""
    return (isinstance(part, dict) and step in part) or (
        isinstance(part, list) and isinstance(step, int) and step < len(part)
    )


def _mutate(mutant: Mutant, place: tuple[Any, ...], draw: random.Random) -> None:
    """Change a configuration at one place; nothing happens where an earlier change took the place away."""
    *path, last = place
    part = mutant.tree
    for step in path:
        if not _has(part, step):
            return
        part = part[step]
    if not _has(part, last):
        return
    kind = draw.choice(("value", "value", "value", "value", "value", "key", "missing", "twice"))
    if kind == "key" and isinstance(part, dict):
        part[draw.choice(KEYS)] = part[last]
        mutant.places.append(_dotted(tuple(path)))
    elif kind == "missing":
        del part[last]
        mutant.places.append(_dotted(place if isinstance(part, dict) else tuple(path)))
    elif kind == "twice" and isinstance(part, list):
        part += [copy.deepcopy(part[last])] * draw.choice((1, 1, 100, 5000))
        mutant.places.append(_dotted(tuple(path)))
    else:
        part[last] = _wrong(draw, part[last])
        mutant.places.append(_dotted(place))
    mutant.what.append(f"{kind} at {_dotted(place)}")


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """Yield configurations with one to three mistakes each; the first ones go through every key once."""
    draw = random.Random(seed)  # noqa: S311 - nothing is secret
    order = draw.sample(PLACES, len(PLACES))
    for number in range(count):
        if draw.random() < 0.02:
            tree = draw.choice([*TEXTS, *NUMBERS, *STRANGERS, *_containers()])
            yield Mutant(tree, [""], ["the whole configuration"])
            continue
        mutant = Mutant(whole_study())
        _mutate(mutant, order[number % len(order)], draw)
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            _mutate(mutant, draw.choice(PLACES), draw)
        yield mutant


def _is_near(line: str, place: str) -> bool:
    """Whether a message names a changed key, one below it, one beside it in its section, or its section."""
    parent = place.rpartition(".")[0]
    where = line.partition(": ")[0]
    return not place or place in line or where.startswith(parent or place) or place.startswith(f"{where}.")


def fault(mutant: Mutant) -> str | None:
    """Read a configuration and return what is wrong with the answer; None where it is a study, or good messages.

    A study must be the same one when it is written down and read again.
    """
    start = time.monotonic()
    try:
        study = parse_config(mutant.tree)
        again = parse_config(study.model_dump())
        wrong = None if again == study else "another study when it is read again"
        mutant.taken = True
    except UserError as error:
        wrong = _wrong_message(str(error), mutant.places)
    except BaseException as error:
        wrong = f"{type(error).__name__}: {str(error)[:500]}"
    if time.monotonic() - start > LONGEST_ANSWER:
        wrong = f"more than {LONGEST_ANSWER} seconds"
    return f"{', '.join(mutant.what)}: {wrong}" if wrong else None


def _wrong_message(message: str, places: list[str]) -> str | None:
    """Return what is wrong with a refusal; None where each line is short, readable and about a changed key."""
    for text in message.split("\n"):
        line = text.removeprefix("config: ")
        if line == text or not line.isprintable() or len(line) > LONGEST_LINE or "secret" in line:
            return f"a bad line: {text[:3000]!r}"
        if not any(_is_near(line, place) for place in places):
            return f"the line names another key than {places}: {text!r}"
    return None


@dataclass
class Outcome:
    """What became of configurations: how many were taken and refused, and what was wrong with the others."""

    taken: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def outcome(count: int, seed: int) -> Outcome:
    """Read ``count`` configurations with mistakes, the same ones for one seed."""
    found = Outcome()
    for mutant in mutants(count, seed):
        if wrong := fault(mutant):
            found.faults.append(wrong)
        elif mutant.taken:
            found.taken += 1
        else:
            found.refused += 1
    return found
