"""Files of templates: every value is text, and nothing in them is run, repeated or endless."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.facts.schema import parse_templates
from dkn.facts.template_files import LARGEST, template_tree
from tests.unit.one_line import line_of

GOOD = """
P1: &first
  name: 12
  original: "{subject} lives in _X_."
  left_to_right: &asked "{subject}  lives\\tin _X_."
  paraphrases: ["the home of {subject} is _X_.", "{subject} dwells in _X_.", "{subject} stays in _X_."]
  complex: *asked
"""
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


def test_values_are_texts_in_their_one_form(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("\ufeff" + GOOD.replace("P1", "2012-01-01") + "P2: *first\n", encoding="utf-8")
    templates = parse_templates(template_tree(path), str(path))
    assert templates["2012-01-01"] == templates["P2"]
    wording = templates["P2"]
    assert wording.name == "12"
    assert wording.left_to_right == wording.complex == "{subject} lives in _X_."


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (GOOD + "P1: {}\n", "duplicate key 'P1'"),
        (GOOD + "  name: again\n", "duplicate key 'name'"),
        (GOOD + "P2: {<<: *first, name: b}\n", "P2.original: missing"),
        ("a0: &a0 x\n" + LAUGHS, "200,000 values"),
        ("a: &a [*a]\n", "alias"),
        ("[" * 5000, "within each other"),
        ("P1: {name: *absent}", "undefined alias"),
        ("? [a]\n: b\n", "unhashable"),
        ("P1: \0", "special characters"),
        ("P1: a\n---\nP2: b", "single document"),
        ("x" * (LARGEST + 1), "1,048,576 bytes"),
        ('"P\\u0301": {}\n"P\\u0301 ": {}', "P"),
    ],
)
def test_a_file_that_is_not_taken_is_one_line(content: str, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        parse_templates(template_tree(path), str(path))
    assert line_of(caught).startswith(f"{path}: ")
    assert cause in line_of(caught)


def test_a_tag_calls_nothing(tmp_path: Path) -> None:
    path, ran = tmp_path / "own.yaml", tmp_path / "ran"
    path.write_text(GOOD.replace("12", f"!!python/object/apply:os.system ['touch {ran}']"), encoding="utf-8")
    with pytest.raises(UserError, match=r"P1\.name"):
        parse_templates(template_tree(path), str(path))
    assert not ran.exists()


def test_two_spellings_of_one_relation_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace("&first", "").replace("&asked", "").replace("*asked", "'{subject} is _X_.'"), "utf-8")
    path.write_text(path.read_text("utf-8") + path.read_text("utf-8").replace("P1", '"P1 "'), "utf-8")
    with pytest.raises(UserError, match="two relations have one name"):
        parse_templates(template_tree(path), str(path))


@pytest.mark.parametrize("place", ["absent.yaml", "."])
def test_what_is_no_file_is_one_line(place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        template_tree(tmp_path / place)
    assert line_of(caught) == f"{tmp_path / place}: no such templates file"
