"""The bundled facts, the wordings they are asked in, and what a bad line or template ends in."""

from __future__ import annotations

import copy
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dkn.errors import UserError
from dkn.facts.schema import GAP, SUBJECT, Fact, Templates, original_prompt, parse_templates, prompt, split_of
from dkn.facts.sources import FactsSource, read_facts, read_templates

RESOURCES = Path(__file__).parents[3] / "resources" / "facts"
TEMPORAL_RELATIONS = ("P54", "P39", "P108", "P102", "P286", "P69", "P488", "P6", "P127")

ANSWER = {"wikidata_id": "Q1", "name": "Arsenal F.C."}
LINE: dict[str, Any] = {
    "query": "Jane Doe plays for _X_.",
    "answer": [ANSWER],
    "date": "2012",
    "id": "jane_P54_2012",
    "relation": "P54",
    "most_frequent_answer": ANSWER,
    "most_recent_answer": ANSWER,
}
WORDING: dict[str, Any] = {
    "name": "lives in",
    "original": "{subject} lives in _X_.",
    "left_to_right": "{subject} lives in _X_.",
    "paraphrases": ["the home of {subject} is _X_.", "{subject} dwells in _X_.", "{subject} stays in _X_."],
    "complex": "letters for {subject} are best sent to _X_.",
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The bundled wordings."""
    return read_templates([RESOURCES / "templates.yaml"])


def bundled(name: str, templates: Templates) -> list[Fact]:
    """One bundled file's facts."""
    return read_facts([FactsSource(str(RESOURCES / f"{name}.jsonl"))], templates, seed=0)[0]


@pytest.fixture(scope="module")
def temporal(templates: Templates) -> list[Fact]:
    return bundled("temporal", templates)


@pytest.fixture(scope="module")
def static(templates: Templates) -> list[Fact]:
    return bundled("static", templates)


def text(**changes: object) -> str:
    """A good line with some fields changed; ``...`` takes a field out."""
    return json.dumps({key: value for key, value in {**LINE, **changes}.items() if value is not ...})


def complaint(path: Path, lines: list[str] | bytes, templates: Templates) -> str:
    """What reading these lines ends in: the one line of the error."""
    path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
    with pytest.raises(UserError) as caught:
        read_facts([FactsSource(str(path))], templates, seed=0)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the bundle ---------------------------------------------------------------------------------------------


def test_temporal_bundle_is_large_enough(temporal: list[Fact]) -> None:
    assert len({fact.subject for fact in temporal}) >= 150
    assert len({(fact.subject, fact.date) for fact in temporal}) >= 600
    assert {fact.relation for fact in temporal} == set(TEMPORAL_RELATIONS)


def test_every_date_of_the_temporal_bundle_is_a_year(temporal: list[Fact]) -> None:
    assert all(fact.date and re.fullmatch(r"(19|20)\d\d", fact.date) for fact in temporal)


def test_static_bundle_is_large_enough(static: list[Fact]) -> None:
    counts = Counter(fact.relation for fact in static)
    assert len(static) >= 250
    assert sum(count >= 30 for count in counts.values()) >= 8
    assert not any(fact.date for fact in static)
    assert not counts.keys() & set(TEMPORAL_RELATIONS)


def test_bundled_ids_are_unique_and_answers_stated(temporal: list[Fact], static: list[Fact]) -> None:
    facts = temporal + static
    assert len({fact.fact_id for fact in facts}) == len(facts)
    assert all(fact.answers and all(fact.answers) for fact in facts)


def test_no_question_is_asked_twice(temporal: list[Fact], static: list[Fact]) -> None:
    assert max(Counter(fact.prompt for fact in temporal + static).values()) == 1


def test_prompts_end_where_the_answer_begins(temporal: list[Fact], static: list[Fact]) -> None:
    for fact in temporal + static:
        for wording in (fact.prompt, *fact.paraphrases, fact.complex):
            assert wording == wording.rstrip()
            assert fact.subject.lower() in wording.lower()  # "the Moon" begins a sentence as "The Moon"
            assert not {GAP, SUBJECT} & set(wording.split())
            assert wording.startswith(f"In {fact.date}, ") if fact.date else wording[0] == wording[0].upper()


def test_the_wordings_of_a_fact_differ(temporal: list[Fact], static: list[Fact]) -> None:
    for fact in temporal + static:
        assert len({fact.prompt, *fact.paraphrases, fact.complex}) == len(fact.paraphrases) + 2


def test_every_relation_has_all_wordings(templates: Templates, temporal: list[Fact], static: list[Fact]) -> None:
    assert set(templates) >= {fact.relation for fact in temporal + static}
    for relation, wording in templates.items():
        gap_last = (wording.left_to_right, *wording.paraphrases, wording.complex)
        assert len(wording.paraphrases) >= 3, relation
        assert len(set(gap_last)) == len(gap_last), relation
        assert all(template.endswith((f" {GAP}", f" {GAP}.")) for template in gap_last), relation
        assert all(template.count(SUBJECT) == 1 for template in (wording.original, *gap_last)), relation


@pytest.mark.parametrize(
    ("relation", "subject", "date", "expected"),
    [
        ("P286", "Chelsea F.C.", "2012", "In 2012, the head coach of Chelsea F.C. is"),
        ("P36", "France", None, "The capital of France is"),
        ("P54", "Lionel Messi", "2010", "In 2010, Lionel Messi plays for"),
        ("P38", "Japan", None, "The currency of Japan is the"),
    ],
)
def test_prompts_read_right(templates: Templates, relation: str, subject: str, date: str | None, expected: str) -> None:
    assert prompt(templates[relation].left_to_right, subject, date) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Jane Doe plays for _X_.", "Jane Doe plays for"),
        ("Jane Doe is a member of the _X_.", "Jane Doe is a member of the"),
        ("Jane Doe plays for _X_", "Jane Doe plays for"),
        ("Jane Doe plays for  _X_. ", "Jane Doe plays for"),
        ("_X_ is the head coach of Arsenal F.C..", "_X_ is the head coach of Arsenal F.C.."),
        ("Jane Doe and _X_ play.", "Jane Doe and _X_ play."),
    ],
)
def test_only_a_gap_at_the_end_of_an_original_query_is_cut(query: str, expected: str) -> None:
    assert original_prompt(query) == expected


def test_the_gap_of_three_relations_comes_first_in_original_queries(temporal: list[Fact], static: list[Fact]) -> None:
    with_gap = {fact.relation for fact in temporal + static if GAP in original_prompt(fact.query)}
    assert with_gap == {"P6", "P286", "P488"}
    for fact in temporal + static:
        found = original_prompt(fact.query)
        assert found == fact.query if fact.relation in with_gap else f"{found} {GAP}." == fact.query


def test_a_subject_is_read_off_the_original_wording(templates: Templates) -> None:
    assert templates["P286"].subject_of("_X_ is the head coach of Chelsea F.C..") == "Chelsea F.C."
    assert templates["P286"].subject_of("_X_ trains Chelsea F.C.") is None


def test_repeated_answers_are_dropped_in_order(tmp_path: Path, templates: Templates) -> None:
    names = ["B", "A", "B ", "C"]
    path = tmp_path / "facts.jsonl"
    path.write_text(text(answer=[{"wikidata_id": None, "name": name} for name in names]))
    (fact,), _ = read_facts([FactsSource(str(path))], templates, seed=0)
    assert fact.answers == ("B", "A", "C")
    assert (fact.subject, fact.date, fact.source) == ("Jane Doe", "2012", "facts.jsonl")


# --- bad lines ----------------------------------------------------------------------------------------------

BAD_LINES = {
    **{f"missing {field}": (text(**{field: ...}), [field]) for field in LINE},
    "missing wikidata_id": (text(answer=[{"name": "A"}]), ["answer.1.wikidata_id"]),
    "empty answer name": (text(answer=[ANSWER, {"wikidata_id": None, "name": ""}]), ["answer.2.name"]),
    "blank answer name": (text(answer=[{"wikidata_id": None, "name": "  "}]), ["answer.1.name", "empty"]),
    "empty answer list": (text(answer=[]), ["answer", "at least 1"]),
    "answer of the wrong type": (text(answer="Arsenal"), ["answer", "array"]),
    "unknown relation": (text(relation="P9999"), ["P9999", *TEMPORAL_RELATIONS, "P36"]),
    "no gap": (text(query="Jane Doe plays for Arsenal."), [GAP, "exactly once", "Jane Doe plays for Arsenal."]),
    "two gaps": (text(query="_X_ plays for _X_."), [GAP, "exactly once"]),
    "other wording": (text(query="Jane Doe kicks for _X_."), ["P54", "{subject} plays for _X_.", "kicks"]),
    "no subject": (text(query=" plays for _X_."), ["P54", "{subject} plays for _X_."]),
    "broken JSON": (text()[:-5], ["JSON"]),
    "not an object": ("[1, 2]", ["object"]),
    "no year": (text(date="May 2012"), ["date"]),
    "short year": (text(date="12"), ["date"]),
    "year as a number": (text(date=2012), ["date", "string"]),
    "unknown field": (text(colour="red"), ["colour"]),
    "duplicate key": (text()[:-1] + ', "id": "other"}', ["duplicate key 'id'"]),
    "duplicate key in an answer": (text().replace('"name"', '"wikidata_id": "Q2", "name"', 1), ["'wikidata_id'"]),
    "digits of another script": (text(date="٢٠١٢"), ["date"]),
    "full-width digits": (text(date="２０１２"), ["date"]),
    "year and line break": (text(date="2012\n"), ["date"]),
    "invisible answer": (text(answer=[{"wikidata_id": None, "name": "\u200b\u0301"}]), ["answer.1.name", "no visible"]),
    "invisible subject": (text(query="\u200d plays for _X_."), ["subject", "no visible", "\\u200d"]),
    "control character in a subject": (text(query="Jane\x1b[2J plays for _X_."), ["query", "U+001B"]),
    "NUL in an answer": (text(answer=[{"wikidata_id": None, "name": "A\0"}]), ["answer.1.name", "U+0000"]),
    "lone surrogate": (text(query="\ud800 plays for _X_."), ["JSON", "hex escape"]),
    "blank id": (text(id=" \u200b"), ["id", "no visible"]),
    "separator in an id": (text(id="a\x1fb"), ["id", "U+001F"]),
    "line break in an id": (text(id="a\nb"), ["id", "line breaks"]),
    "blank Wikidata id": (text(answer=[{"wikidata_id": "", "name": "A"}]), ["answer.1.wikidata_id", "pattern"]),
    "Wikidata id of another script": (text(answer=[{"wikidata_id": "Q３", "name": "A"}]), ["answer.1.wikidata_id"]),
    "huge line": (text(query="x" * 200_000), ["200,", "100,000"]),
    "deep line": ('{"id": ' + "[" * 5000, ["JSON", "recursion"]),
    "huge number": (text()[:-1] + ', "id": ' + "1" * 9999 + "}", ["id"]),
    "unknown field with a line break": (text(**{"a\nb": 1}), ["unknown key", "a\\nb"]),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_is_named_in_one_line(kind: str, tmp_path: Path, templates: Templates) -> None:
    line, causes = BAD_LINES[kind]
    path = tmp_path / "facts.jsonl"
    message = complaint(path, [text(id="first"), "", line, text(id="last")], templates)
    assert message.startswith(f"{path}:3: ")  # the blank line counts
    assert all(cause in message for cause in causes), message


def test_a_duplicate_id_names_both_places(tmp_path: Path, templates: Templates) -> None:
    path = tmp_path / "facts.jsonl"
    message = complaint(path, [text(id="a"), text(id="b"), "", text(id="a")], templates)
    assert message.startswith(f"{path}:4: ")
    assert "duplicate" in message
    assert "'a'" in message
    assert message.endswith(f"{path}:1")


def test_a_duplicate_id_in_another_file_names_both_places(tmp_path: Path, templates: Templates) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text(text(id="x") + "\n" + text(id="a"))
    second.write_text(text(id="a"))
    with pytest.raises(UserError) as caught:
        read_facts([FactsSource(str(first)), FactsSource(str(second))], templates, seed=0)
    assert str(caught.value) == f"{second}:1: duplicate id 'a', first seen at {first}:2"


@pytest.mark.parametrize("content", [b"", b"\n \n\n"], ids=["empty", "blank"])
def test_an_empty_file_is_an_error(content: bytes, tmp_path: Path, templates: Templates) -> None:
    message = complaint(tmp_path / "facts.jsonl", content, templates)
    assert message.startswith(f"{tmp_path / 'facts.jsonl'}: ")
    assert "no facts" in message


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path, templates: Templates) -> None:
    path = tmp_path / "facts.jsonl"
    lines = [text(id="first").encode(), text(query="José plays for _X_.").replace("\\u00e9", "é").encode("latin-1")]
    message = complaint(path, b"\n".join(lines), templates)
    assert "UTF-8" in message
    assert message.startswith(f"{path}:2: ")


def test_blank_lines_and_windows_line_ends_are_skipped(tmp_path: Path, templates: Templates) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(f"\n{text(id='a')}\r\n   \n\r\n{text(id='b', date='2013')}\n\n".encode())
    assert [fact.fact_id for fact in read_facts([FactsSource(str(path))], templates, seed=0)[0]] == ["a", "b"]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\t "])
def test_files_that_were_joined_with_their_marks_are_read(mark: bytes, tmp_path: Path, templates: Templates) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(mark + text(id="a").encode() + b"\n" + mark + text(id="b", date="2013").encode())
    assert [fact.fact_id for fact in read_facts([FactsSource(str(path))], templates, seed=0)[0]] == ["a", "b"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_other_encodings_are_refused_in_their_first_line(codec: str, tmp_path: Path, templates: Templates) -> None:
    line = json.dumps({**LINE, "query": "José plays for _X_."}, ensure_ascii=False)
    path = tmp_path / "facts.jsonl"
    assert complaint(path, line.encode(codec), templates).startswith(f"{path}:1: ")


# --- splits -------------------------------------------------------------------------------------------------


def test_the_years_of_a_subject_share_a_side(temporal: list[Fact], static: list[Fact]) -> None:
    sides = {(fact.subject, fact.split) for fact in temporal + static}
    assert len(sides) == len({fact.subject for fact in temporal + static})
    assert {fact.split for fact in temporal} == {fact.split for fact in static} == {"train", "test"}


def test_the_split_depends_on_neither_order_nor_company(
    temporal: list[Fact], templates: Templates, tmp_path: Path
) -> None:
    lines = (RESOURCES / "temporal.jsonl").read_text().splitlines()
    random.Random(3).shuffle(lines)  # noqa: S311
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(lines[:100]))
    expected = {fact.fact_id: fact.split for fact in temporal}
    found = {fact.fact_id: fact.split for fact in read_facts([FactsSource(str(path))], templates, seed=0)[0]}
    assert len(found) == 100
    assert found.items() <= expected.items()


def test_the_split_follows_seed_and_share() -> None:
    subjects = [f"subject {number}" for number in range(400)]
    by_seed = [[split_of(subject, seed) for subject in subjects] for seed in (0, 1)]
    assert by_seed[0] == [split_of(subject, 0) for subject in subjects]
    assert by_seed[0] != by_seed[1]
    assert 150 < by_seed[0].count("train") < 250
    assert {split_of(subject, 0, train_share=1) for subject in subjects} == {"train"}
    assert {split_of(subject, 0, train_share=0) for subject in subjects} == {"test"}


# --- bad templates ------------------------------------------------------------------------------------------

ONE_WORDING = ("original", "left_to_right", "complex")
BAD_TEMPLATES = {
    **{f"no gap in {field}": ({field: "{subject} lives here."}, [field, GAP]) for field in ONE_WORDING},
    **{f"no subject in {field}": ({field: "the home is _X_."}, [field, SUBJECT]) for field in ONE_WORDING},
    **{f"two gaps in {field}": ({field: "_X_ and {subject} are _X_."}, [field, GAP]) for field in ONE_WORDING},
    **{
        f"gap not last in {field}": ({field: "_X_ is the home of {subject}."}, [field, GAP, "last"])
        for field in ONE_WORDING[1:]
    },
    **{f"missing {field}": ({field: ...}, [field]) for field in WORDING},
    "paraphrase without gap": ({"paraphrases": [*WORDING["paraphrases"], "{subject} is."]}, ["paraphrases", GAP]),
    "paraphrase without subject": ({"paraphrases": [*WORDING["paraphrases"], "in _X_."]}, ["paraphrases", SUBJECT]),
    "paraphrase with the gap first": (
        {"paraphrases": [*WORDING["paraphrases"], "_X_ houses {subject}."]},
        ["paraphrases", "last"],
    ),
    "two paraphrases": ({"paraphrases": WORDING["paraphrases"][:2]}, ["paraphrases", "at least 3"]),
    "unknown key": ({"colour": "red"}, ["colour"]),
}


@pytest.mark.parametrize("kind", BAD_TEMPLATES)
def test_a_bad_template_names_file_and_relation(kind: str, tmp_path: Path) -> None:
    changes, causes = BAD_TEMPLATES[kind]
    bad = {key: value for key, value in {**copy.deepcopy(WORDING), **changes}.items() if value is not ...}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"P551": WORDING, "P552": bad}))
    with pytest.raises(UserError) as caught:
        read_templates([path])
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: P552.")
    assert all(cause in message for cause in causes), message


@pytest.mark.parametrize("tree", [None, [], "P551", {"P551": "lives in"}], ids=["empty", "list", "text", "no wordings"])
def test_templates_of_another_shape_are_one_line(tree: object) -> None:
    with pytest.raises(UserError) as caught:
        parse_templates(tree, "own.yaml")
    assert str(caught.value).startswith("own.yaml: ")
    assert "\n" not in str(caught.value)


def test_only_the_original_may_have_its_gap_elsewhere() -> None:
    wording = parse_templates({"P551": {**WORDING, "original": "_X_ is the home of {subject}."}}, "own.yaml")["P551"]
    assert wording.subject_of("_X_ is the home of Jane Doe.") == "Jane Doe"
