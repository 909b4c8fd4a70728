"""All facts of a study with their wordings and splits, validated line by line."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.io import write_table
from dkn.provenance import provenance
from dkn.sources import FactsSource, read_facts, read_templates
from dkn.tables import FACTS


def main(
    source: Annotated[list[str], Option(help="Facts file or URL, as LOCATION or LOCATION#sha256=HEX; repeatable.")],
    templates: Annotated[list[Path], Option(help="YAML file of relation templates; repeatable.")],
    seed: Annotated[int, Option(help="The study's seed; it decides the split of subjects.")],
    output: Annotated[Path, Option(help="facts.parquet")],
) -> None:
    """Read, validate and store all facts."""
    sources = [FactsSource.parse(text) for text in source]
    facts, checksums = read_facts(sources, read_templates(templates), seed)
    frame = pd.DataFrame([asdict(fact) for fact in facts])
    record = provenance("facts", {"sources": checksums, "seed": seed}, templates)
    write_table(output, frame, FACTS, record)
    print(f"{len(frame)} facts of {frame['subject'].nunique()} subjects and {frame['relation'].nunique()} relations")
