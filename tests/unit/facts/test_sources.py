"""Fact sources: local files, URLs, gzip, checksums, and the files of templates beside them."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest
import yaml

from dkn.commands.facts import main as facts_command
from dkn.errors import UserError
from dkn.facts import sources
from dkn.facts.sources import FactsSource, read_facts, read_source, read_templates
from dkn.run.checks import check_facts, facts_locations, template_files
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACTS
from dkn.study.config import Study, parse_config
from dkn.study.inputs import BundledFacts, PathFacts, UrlFacts

ROOT = Path(__file__).parents[3]
RESOURCES = ROOT / "resources" / "facts"
CONTENT = "\n".join((RESOURCES / "static.jsonl").read_text().splitlines()[:5]).encode()
PACKED = gzip.compress(CONTENT)
WORDING = {
    "name": "lives in",
    "original": "{subject} lives in _X_.",
    "left_to_right": "{subject} lives in _X_.",
    "paraphrases": ["the home of {subject} is _X_.", "{subject} dwells in _X_.", "{subject} stays in _X_."],
    "complex": "letters for {subject} are best sent to _X_.",
}


def sha256(content: bytes) -> str:
    """A checksum as the configuration states it."""
    return hashlib.sha256(content).hexdigest()


def line_of(caught: pytest.ExceptionInfo[UserError]) -> str:
    """The error's text, which must be one line."""
    assert "\n" not in str(caught.value)
    return str(caught.value)


def broken(at: int) -> bytes:
    """A gzip file with one byte flipped."""
    content = bytearray(gzip.compress(CONTENT))
    content[at] ^= 0xFF
    return bytes(content)


class Answers(BaseHTTPRequestHandler):
    """Serves the content plain and packed, and with ``/busy`` in front at the third time it is asked for; any other
    address answers with the status it names.
    """

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        known = {"/facts.jsonl": CONTENT, "/facts.jsonl.gz": PACKED}
        if self.path.startswith("/busy"):
            self.asked[self.path] += 1
            self.path = self.path.removeprefix("/busy") if self.asked[self.path] == 3 else "/503"
        body = known.get(self.path, b"no such file")
        self.send_response(200 if self.path in known else int(self.path.strip("/")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a local web server."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine must not stand between the tests and their server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads are tried again at once."""
    monkeypatch.setattr(sources, "BACKOFF", 0)


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


def download(url: str, folder: Path) -> None:
    """The facts stage on one URL."""
    facts_command([url], [RESOURCES / "templates.yaml"], 0, folder / "facts.parquet", folder / "downloads.json")


def test_a_first_download_is_held_to(server: str, tmp_path: Path) -> None:
    """The same content passes again; other content is an error, and changes neither facts nor record."""
    url = f"{server}/facts.jsonl"
    download(url, tmp_path)
    record = tmp_path / "downloads.json"
    assert read_json(record) == {url: sha256(CONTENT)}
    download(url, tmp_path)
    record.write_text(f'{{"{url}": "{"0" * 64}", "https://a.org/b": "{"1" * 64}"}}')
    before = (tmp_path / "facts.parquet").read_bytes()
    with pytest.raises(UserError) as caught:
        download(url, tmp_path)
    message = line_of(caught)
    assert message.startswith(f"{url}: sha256 is {sha256(CONTENT)}, expected {'0' * 64}, as first downloaded")
    assert str(record) in message
    assert read_json(record)[url] == "0" * 64
    assert (tmp_path / "facts.parquet").read_bytes() == before
    download(f"{url}.gz", tmp_path)
    assert read_json(record).keys() == {url, f"{url}.gz", "https://a.org/b"}


def test_a_stated_checksum_goes_before_the_record(server: str, tmp_path: Path) -> None:
    url = f"{server}/facts.jsonl"
    (tmp_path / "downloads.json").write_text(f'{{"{url}": "{"0" * 64}"}}')
    download(f"{url}#sha256={sha256(CONTENT)}", tmp_path)
    assert read_json(tmp_path / "downloads.json") == {url: sha256(CONTENT)}


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


# --- the study's sources, before the first job and in it ---------------------------------------------------


@pytest.fixture
def study() -> Study:
    """The default study."""
    return parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))


def test_locations_and_template_files_of_a_study(study: Study) -> None:
    study.facts.sources[:] = [
        BundledFacts(bundled="static"),
        PathFacts(path="own.jsonl"),
        PathFacts(path="own.jsonl", sha256="a" * 64),
        UrlFacts(url="https://a.org/b.gz", sha256="b" * 64),
    ]
    study.facts.templates[:] = ["own.yaml"]
    assert facts_locations(study, RESOURCES) == [
        str(RESOURCES / "static.jsonl"),
        "own.jsonl",
        f"own.jsonl#sha256={'a' * 64}",
        f"https://a.org/b.gz#sha256={'b' * 64}",
    ]
    assert template_files(study, RESOURCES) == [str(RESOURCES / "templates.yaml"), "own.yaml"]


def test_the_default_studys_facts_pass(study: Study) -> None:
    check_facts(facts_locations(study, RESOURCES), template_files(study, RESOURCES))


def test_urls_wait_for_their_job() -> None:
    check_facts(["http://127.0.0.1:9/facts.jsonl"], [str(RESOURCES / "templates.yaml")])


def test_the_facts_command_stores_what_it_reads(tmp_path: Path) -> None:
    source, output = tmp_path / "some.jsonl", tmp_path / "facts.parquet"
    source.write_bytes(CONTENT)
    facts_command([str(source)], [RESOURCES / "templates.yaml"], 0, output, tmp_path / "downloads.json")
    table = read_table(output, FACTS)
    assert table["fact_id"].tolist() == [
        fact.fact_id
        for fact in read_facts([FactsSource(str(source))], read_templates([RESOURCES / "templates.yaml"]), 0)[0]
    ]
    assert table["date"].isna().all()
    assert sha256(CONTENT).encode() in pq.read_metadata(output).metadata[b"provenance"]
    assert [path.name for path in tmp_path.iterdir() if path != source] == ["facts.parquet"]
