"""Fact sources: local files, URLs, gzip, checksums, and the files of templates beside them."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dkn.errors import UserError
from dkn.facts import addresses, sources
from dkn.facts.schema import Fact
from dkn.facts.sources import FactsSource, read_facts, read_source, read_templates
from dkn.stages import PACKAGE
from tests.unit.facts_lines import line
from tests.unit.facts_server import CONTENT, PACKED, RESOURCES, Answers, sha256
from tests.unit.one_line import line_of

WORDING = {
    "name": "lives in",
    "original": "{subject} lives in _X_.",
    "left_to_right": "{subject} lives in _X_.",
    "paraphrases": ["the home of {subject} is _X_.", "{subject} dwells in _X_.", "{subject} stays in _X_."],
    "complex": "letters for {subject} are best sent to _X_.",
}


def broken(at: int) -> bytes:
    """A gzip file with one byte flipped."""
    content = bytearray(gzip.compress(CONTENT))
    content[at] ^= 0xFF
    return bytes(content)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads are tried again at once."""
    monkeypatch.setattr(addresses, "BACKOFF", 0)


# --- sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected", "is_url", "name"),
    [
        ("data/facts.jsonl", FactsSource("data/facts.jsonl"), False, "facts.jsonl"),
        ("facts.jsonl#sha256=ab12", FactsSource("facts.jsonl", "ab12"), False, "facts.jsonl"),
        ("https://a.org/b/c.gz#sha256=ab12", FactsSource("https://a.org/b/c.gz", "ab12"), True, "c.gz"),
        ("http://a.org/b/c.gz", FactsSource("http://a.org/b/c.gz"), True, "c.gz"),
        ("facts#1.jsonl", FactsSource("facts#1.jsonl"), False, "facts#1.jsonl"),
    ],
)
def test_parse(text: str, expected: FactsSource, is_url: bool, name: str) -> None:
    source = FactsSource.parse(text)
    assert source == expected
    assert source.is_url == is_url
    assert source.name == name


@pytest.mark.parametrize("stored", [CONTENT, PACKED], ids=["plain", "gzip"])
@pytest.mark.parametrize("checked", [False, True], ids=["unchecked", "checked"])
def test_a_file_is_read_and_unpacked(stored: bytes, checked: bool, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(stored)
    assert read_source(FactsSource(str(path), sha256(stored) if checked else None)).text == CONTENT


def test_a_wrong_checksum_names_both(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(CONTENT)
    with pytest.raises(UserError) as caught:
        read_source(FactsSource(str(path), "0" * 64))
    assert line_of(caught) == f"{path}: sha256 is {sha256(CONTENT)}, expected {'0' * 64}"


@pytest.mark.parametrize(
    "content",
    [PACKED[:100], PACKED[:6], broken(-6), broken(12), b"\x1f\x8b\x08\x00" + b"\xff" * 30],
    ids=["cut short", "header alone", "wrong check sum", "corrupt data", "not deflate"],
)
def test_a_broken_gzip_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_source(FactsSource(str(path)))
    assert line_of(caught).startswith(f"{path}: broken gzip")


@pytest.mark.parametrize("place", ["absent.jsonl", "."], ids=["absent", "a folder"])
def test_a_missing_file_is_one_line(place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_source(FactsSource(str(tmp_path / place)))
    assert line_of(caught) == f"{tmp_path / place}: no such facts file"


# --- URLs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "stored"), [("facts.jsonl", CONTENT), ("facts.jsonl.gz", PACKED)])
@pytest.mark.parametrize("checked", [False, True], ids=["unchecked", "checked"])
def test_a_url_is_downloaded_and_unpacked(name: str, stored: bytes, checked: bool, server: str) -> None:
    assert read_source(FactsSource(f"{server}/{name}", sha256(stored) if checked else None)).text == CONTENT


def test_facts_come_from_a_url(server: str) -> None:
    facts, _ = read_facts(
        [FactsSource(f"{server}/facts.jsonl.gz")], read_templates([RESOURCES / "templates.yaml"]), seed=0
    )
    assert len(facts) == 5
    assert {fact.source for fact in facts} == {"facts.jsonl.gz"}


def test_a_url_with_a_wrong_checksum_is_one_line(server: str) -> None:
    with pytest.raises(UserError) as caught:
        read_source(FactsSource(f"{server}/facts.jsonl", "0" * 64))
    assert line_of(caught) == f"{server}/facts.jsonl: sha256 is {sha256(CONTENT)}, expected {'0' * 64}"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refused_url_is_one_line_with_the_servers_status(status: int, server: str) -> None:
    with pytest.raises(UserError) as caught:
        read_source(FactsSource(f"{server}/{status}"))
    place, _, cause = line_of(caught).partition(f"{server}/{status}: ")
    assert not place
    assert str(status) in cause


def test_a_busy_server_is_asked_again(server: str) -> None:
    assert read_source(FactsSource(f"{server}/busy/facts.jsonl")).text == CONTENT
    assert Answers.asked["/busy/facts.jsonl"] == 3


@pytest.mark.usefixtures("no_proxy")
def test_a_server_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        read_source(FactsSource("http://127.0.0.1:9/facts.jsonl"))
    assert line_of(caught).startswith("http://127.0.0.1:9/facts.jsonl: could not be downloaded")
    assert "network" in line_of(caught)


# --- templates ----------------------------------------------------------------------------------------------


def write_templates(path: Path, **relations: object) -> Path:
    """A YAML file of templates."""
    path.write_text(yaml.safe_dump(relations))
    return path


def test_a_later_file_adds_relations(tmp_path: Path) -> None:
    bundled = RESOURCES / "templates.yaml"
    own = write_templates(tmp_path / "own.yaml", P551=WORDING)
    assert set(read_templates([bundled, own])) == {*read_templates([bundled]), "P551"}


def test_a_later_file_may_not_repeat_a_relation(tmp_path: Path) -> None:
    paths = [write_templates(tmp_path / name, P551=WORDING) for name in ("first.yaml", "second.yaml")]
    with pytest.raises(UserError) as caught:
        read_templates(paths)
    assert line_of(caught).startswith(f"{paths[1]}: ")
    assert "P551" in line_of(caught)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"P551:\n  - name: {", "broken YAML"),
        (b"P551:\n\t- name", "broken YAML"),
        (b"", "dictionary"),
        ("P551: José".encode("latin-1"), "UTF-8"),
    ],
    ids=["open brace", "tab", "empty", "not UTF-8"],
)
def test_a_broken_templates_file_is_one_line(content: bytes, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_templates([path])
    assert line_of(caught).startswith(f"{path}: ")
    assert cause in line_of(caught)


def test_a_missing_templates_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_templates([tmp_path / "own.yaml"])
    assert line_of(caught) == f"{tmp_path / 'own.yaml'}: no such templates file"


# --- one subject, one question ------------------------------------------------------------------------------

SPELLINGS = [
    "Pelé Junior",
    "Pele\u0301 Junior",
    "Pelé  Junior",
    " Pelé Junior ",
    "Pelé\u00a0Junior",
    "Pelé\u200b Junior",
]


def facts_of(tmp_path: Path, *lines: str, joined: list[str] | None = None) -> list[Fact]:
    """The facts of a file of these lines."""
    path = tmp_path / "facts.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_facts([FactsSource(str(path))], read_templates([RESOURCES / "templates.yaml"]), 0, joined)[0]


def test_spellings_of_one_subject_are_one_subject(tmp_path: Path) -> None:
    lines = [line(name, id=f"{n}", date=f"{1960 + n}") for n, name in enumerate(SPELLINGS)]
    facts = facts_of(tmp_path, *lines)
    assert len(facts) == len(SPELLINGS)
    assert {fact.subject for fact in facts} == {"Pelé Junior"}
    assert len({fact.split for fact in facts}) == 1


def test_a_question_asked_twice_becomes_one_fact_and_is_counted(tmp_path: Path) -> None:
    """The first id stays, with the answers of both; another year or another subject is another question."""
    joined: list[str] = []
    facts = facts_of(
        tmp_path,
        line("Pelé", "Santos", None, id="a"),
        line("Pelé", "Santos", None, id="other year", date="2013"),
        line("Pele\u0301", "Santos", "Q1", id="b"),
        line("Pelé", "New York Cosmos", "Q2", id="c"),
        line("Didi", "Santos", None, id="other subject"),
        joined=joined,
    )
    assert [fact.fact_id for fact in facts] == ["a", "other year", "other subject"]
    assert facts[0].answers == ("Santos", "New York Cosmos")
    assert facts[0].answer_ids == ("Q1", "Q2")
    path = tmp_path / "facts.jsonl"
    assert joined == [f"{path}:{n} asks the question of {path}:1; its answers are joined" for n in (3, 4)]


@pytest.mark.parametrize(
    ("subject", "prompt"),
    [
        ("iPhone 5", "iPhone 5 is produced by"),
        ("eMac", "eMac is produced by"),
        ("the Model T", "The Model T is produced by"),
        ("theremin", "theremin is produced by"),
        ("élan vital", "élan vital is produced by"),
    ],
)
def test_a_name_keeps_its_first_letter_and_an_article_does_not(subject: str, prompt: str, tmp_path: Path) -> None:
    text = line(subject, query=f"{subject} is produced by _X_.", relation="P176", date=None)
    assert facts_of(tmp_path, text)[0].prompt == prompt


def test_two_files_of_one_name_have_a_checksum_each(tmp_path: Path) -> None:
    paths = [tmp_path / name / "facts.jsonl" for name in "ab"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(line(id=str(number), date=f"201{number}"), encoding="utf-8")
    sources = [FactsSource(str(path)) for path in paths]
    _, checksums = read_facts(sources, read_templates([RESOURCES / "templates.yaml"]), 0)
    assert checksums == {
        "facts.jsonl": sha256(paths[0].read_bytes()),
        "facts.jsonl (2)": sha256(paths[1].read_bytes()),
    }


def test_a_file_beyond_the_limit_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sources, addresses):
        monkeypatch.setattr(module, "LARGEST", 10_000)
    path = tmp_path / "facts.jsonl"
    for content in (b"x" * 10_001, gzip.compress(b"x" * 10_001)):
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_source(FactsSource(str(path)))
        assert line_of(caught).startswith(f"{path}: ")
        assert "10,0" in line_of(caught)


def test_facts_and_templates_are_utf8_under_any_locale(tmp_path: Path) -> None:
    facts, own = tmp_path / "facts.jsonl", tmp_path / "own.yaml"
    text = line("Pelé", "北京", query="Pelé lébt in _X_.", relation="P551")
    facts.write_text(text, encoding="utf-8")
    wording = {**WORDING, "original": "{subject} lébt in _X_."}
    own.write_text(yaml.safe_dump({"P551": wording}, allow_unicode=True), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from dkn.facts.sources import *; "
        "facts, _ = read_facts([FactsSource(sys.argv[1])], read_templates([Path(sys.argv[2])]), 0); "
        "print(ascii((facts[0].subject, facts[0].answers)))"
    )
    environment = {"PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code, str(facts), str(own)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == ascii(("Pelé", ("北京",)))
