"""Read all facts of a study with their wordings and splits, and validate them line by line."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.errors import UserError
from dkn.facts.addresses import is_url, public, whole_address
from dkn.facts.sampling import sample_by_subject
from dkn.facts.sources import FactsSource, held_to_record, read_facts, read_templates
from dkn.storage.files import write_json, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACTS

MOST_LISTED = 20  # questions asked twice that the log lists


def main(
    source: Annotated[list[str], Option(help="Facts file or URL, as LOCATION or LOCATION#sha256=HEX; repeatable.")],
    templates: Annotated[list[Path], Option(help="YAML file of relation templates; repeatable.")],
    seed: flags.Seed,
    output: flags.Facts,
    downloads: Annotated[Path, Option(help="JSON file that keeps the checksum of every URL's first download.")],
    most: Annotated[
        int | None, Option(min=1, help="About how many facts are kept, whole subjects; all without it.")
    ] = None,
) -> None:
    """Read, validate and store all facts; a URL must always give the content that its first download gave."""
    recorded = _recorded(downloads)
    sources = [held_to_record(FactsSource.parse(text), recorded, downloads) for text in source]
    sources = [replace(source, location=whole_address(source.location)) for source in sources]
    joined: list[str] = []
    facts, checksums = read_facts(sources, read_templates(templates), seed, joined)
    downloaded = {url: checksum for url, checksum in checksums.items() if is_url(url)}
    if downloaded:
        write_json(downloads, {**recorded, **downloaded})
    read = pd.DataFrame([asdict(fact) for fact in facts])
    frame = sample_by_subject(read, most, seed, "facts").reset_index(drop=True)
    record = provenance("facts", {"sources": checksums, "seed": seed, "most": most}, templates)
    write_table(output, frame, FACTS, record)
    for line in joined[:MOST_LISTED]:
        print(line)
    if joined:
        print(f"{len(joined)} queries ask an earlier query's question; their answers are joined")
    if len(frame) < len(read):
        print(f"a sample of {len(read)} facts")
    print(f"{len(frame)} facts of {frame['subject'].nunique()} subjects and {frame['relation'].nunique()} relations")


def _recorded(downloads: Path) -> dict[str, str]:
    """Return the checksums of first downloads by URL without credentials; none where there is no such file.

    Raises:
        UserError: the file holds anything else.
    """
    try:
        content = json.loads(downloads.read_bytes().decode()) if downloads.is_file() else {}
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(checksum, str) for checksum in content.values()):
        raise UserError(f"{downloads}: not a record of checksums by address; delete it, and downloads count as first")
    return {public(url): checksum for url, checksum in content.items()}
