"""The stage that reads facts: what it stores, and the checksums that it holds downloads to."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dkn.commands.facts import main as facts_command
from dkn.errors import UserError
from dkn.facts.addresses import WHOLE_ADDRESSES, public
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACTS
from tests.unit.facts_lines import line
from tests.unit.facts_server import CONTENT, RESOURCES, sha256
from tests.unit.one_line import line_of


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


def test_credentials_reach_the_server_and_nothing_else(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither as an address of the command line nor by the environment do they come into a file or the log."""
    whole = f"{server.replace('://', '://me:hidden@')}/facts.jsonl"
    download(whole, tmp_path)
    monkeypatch.setenv(WHOLE_ADDRESSES, json.dumps({public(whole): whole}))
    download(public(whole), tmp_path)
    monkeypatch.setenv(WHOLE_ADDRESSES, json.dumps({public(whole): whole.replace("facts.jsonl", "404")}))
    with pytest.raises(UserError) as caught:
        download(public(whole), tmp_path)
    assert line_of(caught).startswith(f"{server.replace('://', '://***@')}/404: ")
    assert read_json(tmp_path / "downloads.json") == {public(whole): sha256(CONTENT)}
    assert not [path for path in tmp_path.iterdir() if b"hidden" in path.read_bytes()]
    assert "hidden" not in "".join(capfd.readouterr())


def test_a_record_of_an_earlier_version_loses_its_credentials(server: str, tmp_path: Path) -> None:
    whole = f"{server.replace('://', '://me:hidden@')}/facts.jsonl"
    (tmp_path / "downloads.json").write_text(json.dumps({whole: sha256(CONTENT)}))
    download(whole, tmp_path)
    assert read_json(tmp_path / "downloads.json") == {public(whole): sha256(CONTENT)}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"a": 1}', b'{"a": {}}', b"\xff", b"[" * 90_000])
def test_a_record_of_another_shape_is_one_line(content: bytes, server: str, tmp_path: Path) -> None:
    record = tmp_path / "downloads.json"
    record.write_bytes(content)
    with pytest.raises(UserError) as caught:
        download(f"{server}/facts.jsonl", tmp_path)
    assert line_of(caught).startswith(f"{record}: not a record of checksums by address; delete it")
    assert record.read_bytes() == content


def test_joined_questions_are_counted_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "some.jsonl"
    source.write_text("\n".join(line(id=f"{n}") for n in range(3)), encoding="utf-8")
    facts_command([str(source)], [RESOURCES / "templates.yaml"], 0, tmp_path / "facts.parquet", tmp_path / "none")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{source}:2 asks the question of {source}:1; its answers are joined"
    assert printed[-2:] == [
        "2 queries ask an earlier query's question; their answers are joined",
        "1 facts of 1 subjects and 1 relations",
    ]


def test_a_sample_has_whole_subjects_and_the_smaller_is_in_the_larger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[int | None, pd.DataFrame] = {}
    for most in (None, 200, 50):
        source, output = str(RESOURCES / "temporal.jsonl"), tmp_path / f"{most}.parquet"
        facts_command([source], [RESOURCES / "templates.yaml"], 0, output, tmp_path / "none", most)
        asked[most] = read_table(output, FACTS)
    everything, larger, smaller = asked[None], asked[200], asked[50]
    for sample, most in ((larger, 200), (smaller, 50)):
        own = everything[everything["subject"].isin(sample["subject"])].reset_index(drop=True)
        assert sample.equals(own)
        assert most <= len(sample) < most + everything.groupby("subject").size().max()
    assert set(smaller["fact_id"]) < set(larger["fact_id"]) < set(everything["fact_id"])
    assert f"a sample of {len(everything)} facts" in capsys.readouterr().out.splitlines()


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
