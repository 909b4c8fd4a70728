"""Read all facts of a study with their wordings and splits, and validate them line by line."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.facts.sources import FactsSource, held_to_record, read_facts, read_templates
from dkn.storage.files import read_json, write_json, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACTS


def main(
    source: Annotated[list[str], Option(help="Facts file or URL, as LOCATION or LOCATION#sha256=HEX; repeatable.")],
    templates: Annotated[list[Path], Option(help="YAML file of relation templates; repeatable.")],
    seed: flags.Seed,
    output: flags.Facts,
    downloads: Annotated[Path, Option(help="JSON file that keeps the checksum of every URL's first download.")],
) -> None:
    """Read, validate and store all facts; a URL must always give the content that its first download gave."""
    recorded = read_json(downloads) if downloads.is_file() else {}
    sources = [held_to_record(FactsSource.parse(text), recorded, downloads) for text in source]
    facts, checksums = read_facts(sources, read_templates(templates), seed)
    downloaded = {source.location: checksums[source.location] for source in sources if source.is_url}
    if downloaded:
        write_json(downloads, {**recorded, **downloaded})
    frame = pd.DataFrame([asdict(fact) for fact in facts])
    record = provenance("facts", {"sources": checksums, "seed": seed}, templates)
    write_table(output, frame, FACTS, record)
    print(f"{len(frame)} facts of {frame['subject'].nunique()} subjects and {frame['relation'].nunique()} relations")
