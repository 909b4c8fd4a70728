"""What is no tree of sections, lists and plain values is refused before the schema sees it, whatever its size."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml

from dkn.errors import UserError
from dkn.study.trees import DEEPEST, MOST_LETTERS, MOST_LINES, MOST_VALUES, check_tree, copy_with, unwritable
from tests.unit.study.configurations import DEFAULT


def lines_of(tree: object) -> list[str]:
    """Return the complaints about a configuration, without the word that they begin with."""
    with pytest.raises(UserError) as caught:
        check_tree(tree)
    return [line.removeprefix("config: ") for line in str(caught.value).split("\n")]


def test_the_default_study_is_such_a_tree() -> None:
    check_tree(DEFAULT)


@pytest.mark.parametrize("tree", [None, [], "text", 3, True, [{"seed": 1}]], ids=str)
def test_a_configuration_is_a_section(tree: object) -> None:
    assert lines_of(tree) == [f"must be a section, keys with their values (found {tree!r})"]


@pytest.mark.parametrize(
    ("key", "where", "kind"),
    [
        (1, "1", "a number"),
        (1.5, "1.5", "a number"),
        (True, "true", "true or false"),
        (None, "null", "null"),
        ((1, 2), "(1, 2)", "a tuple"),
        (datetime.date(2012, 1, 1), "2012-01-01", "a date"),
    ],
    ids=str,
)
def test_a_key_that_is_no_text_is_named_as_it_is_written(key: object, where: str, kind: str) -> None:
    line = f"unknown key; keys are text, and YAML reads {kind} here"
    assert lines_of({key: 2}) == [f"{where}: {line}"]
    assert lines_of({"models": [{}, {"shape": {key: 2}}]}) == [f"models.2.shape.{where}: {line}"]


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r", "\0", "a\x85", "\u2028", "\u2029", "\x1b[1m", "\ud800", "\u202ea"], ids=ascii
)
def test_a_text_of_several_lines_or_without_a_form_is_refused(text: str) -> None:
    line = f"a text must not hold line breaks or other characters without a form (found {unwritable(text)})"
    assert lines_of({"results": text}) == [f"results: {line}"]
    assert lines_of({text: 1})[0].endswith(line)


@pytest.mark.parametrize("text", ["Bob's $x (2) & é", "模型", "می‌خواهم", "👩‍🚀"])
def test_any_text_that_people_read_is_allowed(text: str) -> None:
    check_tree({"results": text})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (10**5000, "a number of about 5,000 digits"),
        (2**63, str(2**63)),
        ("x" * (MOST_LETTERS + 1), "at most 10,000 characters, not 10,001"),
        (datetime.date(2012, 1, 1), "YAML reads a date here; text needs quotes"),
        (b"a", "YAML reads a bytes here"),
        ({"a"}, "YAML reads a set here"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "number",
)
def test_a_value_of_another_kind_or_size_is_refused(value: object, what: str) -> None:
    (line,) = lines_of({"models": [{"revision": value}]})
    assert line.startswith("models.1.revision: ")
    assert what in line


def aliases() -> Any:
    """Return a list that takes a gigabyte when its aliases are followed, from a few lines of YAML."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return yaml.safe_load("\n".join(lines))["a8"]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (aliases(), f"holds too much: a configuration has at most {MOST_VALUES:,} values"),
        ([0] * MOST_VALUES, f"holds too much: a configuration has at most {MOST_VALUES:,} values"),
        (yaml.safe_load("&a [*a]"), f"sections and lists lie at most {DEEPEST} levels deep"),
        (yaml.safe_load("&a {b: *a}"), f"sections and lists lie at most {DEEPEST} levels deep"),
    ],
    ids=["aliases", "long", "circle of lists", "circle of sections"],
)
def test_what_has_no_end_or_is_far_too_large_is_one_line(value: object, what: str) -> None:
    (line,) = lines_of({"facts": value})
    assert line.startswith("facts")
    assert line.endswith(f": {what}")


def test_so_many_mistakes_are_told_as_anybody_mends_at_once() -> None:
    assert len(lines_of(dict.fromkeys(range(1000)))) == MOST_LINES


def test_a_copy_has_other_values_at_some_places() -> None:
    tree = {"a": {"b": "1"}, "c": ["x", {"d": "2"}]}
    assert copy_with(tree, {("a", "b"): 1, ("c", 1, "d"): 2}) == {"a": {"b": 1}, "c": ["x", {"d": 2}]}
    assert tree == {"a": {"b": "1"}, "c": ["x", {"d": "2"}]}
