"""The stage that reads facts: what it stores, and the checksums that it holds downloads to."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dkn.commands.facts import main as facts_command
from dkn.errors import UserError
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACTS
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
