"""Table ``seeds``: every main number over the models that differ in the seed of their training alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn import flags
from dkn.storage.files import read_json
from dkn.summaries.seeds import CONTRASTS, table
from dkn.summaries.wording import bracketed, factor, missing
from dkn.tables.saving import save

LABELS = ["models", "needed by", "number"]


def wide_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table for readers: one row per main number, in words.

    Args:
        rows: the rows of seeds.json.
    """
    lines = []
    for row in rows:
        metric = row["where"].get("metric", "")
        values = [factor(metric) * seed["value"] for seed in row["seeds"]]
        alone = missing(row["value"])
        lines.append(
            {
                "models": row["name"],
                "needed by": row["needed_by"],
                "number": row["words"],
                "over seeds": None if alone else bracketed(row["value"], row["low"], row["high"], metric),
                "p": f"{row['p']:.2g}" if not alone and row["part"] == CONTRASTS else None,
                "tau": None if alone else f"{factor(metric) * row['tau']:.2f}",
                "I²": None if alone else f"{100 * row['i2']:.0f} %",
                "least to greatest": f"{min(values):z.2f} to {max(values):z.2f}" if values else None,
                "seeds": f"{row['replicates']} of {row['models']}",
                "n": f"≥ {row['facts']}" if values else None,
            }
        )
    columns = [*LABELS, "over seeds", "p", "tau", "I²", "least to greatest", "seeds", "n"]
    return pd.DataFrame(lines, columns=columns, dtype=object).set_index(LABELS)


def main(seeds: Annotated[Path, Option(help="seeds.json")], output: flags.Csv) -> None:
    """Write the CSV with a row per number and model, and a row per number in Markdown and LaTeX beside it."""
    content = read_json(seeds)
    confidence = content["provenance"]["settings"]["confidence"]
    caption = (
        "Main numbers over the models of one entry, which differ in the seed of their training: means with "
        f"{100 * confidence:g} % intervals (random effects, Knapp and Hartung), not adjusted for their number. "
        "Shares in per cent, differences and tau in points. tau: standard deviation between seeds; I²: its share "
        "of the variance."
    )
    save(table(content["rows"]), wide_table(content["rows"]), caption, output)
