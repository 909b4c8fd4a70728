"""Table ``funnel``: how many facts are left at each step of the method, by model and grouping.

Of a tested control only the first draw counts, and the names say so: its other numbers are of all its draws.
"""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.storage.completeness import completeness_files, read_converged
from dkn.storage.files import read_table
from dkn.storage.parts import read_distinct
from dkn.storage.schemas import COMPONENTS, DISTANCES, KNOWLEDGE_NEURONS, KNOWN
from dkn.study.names import of_first_draw
from dkn.summaries.funnel import STEPS, funnel
from dkn.tables.saving import save


def main(
    model: flags.Folders,
    grouping: Annotated[list[str], Option(help="Name of a grouping; repeatable.")],
    shards: flags.Shards,
    output: flags.Csv,
) -> None:
    """Write the CSV with a row per model, grouping and step; Markdown and LaTeX have a row per model and grouping."""
    rows = []
    for folder in model:
        known = read_table(folder / "known.parquet", KNOWN)
        completeness = read_converged(completeness_files(folder, shards))
        neurons = read_distinct(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS, ["fact_id", "layer"])
        distances = read_distinct(folder / "distances.parquet", DISTANCES, ["fact_id"])
        for name in grouping:
            components = read_table(
                folder / "components" / f"{name}.parquet", COMPONENTS, ["fact_id", "repeat", "kept"]
            )
            counts = funnel(known, completeness, neurons, distances, components)
            rows += [(folder.name, of_first_draw(name), step, counts[step]) for step in STEPS]
    table = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    caption = (
        "Facts left at every step, by model and grouping. Random: random groups of the sizes of NTC's components; "
        "shuffled: NTC's components after the neurons of each layer have exchanged their weight vectors."
    )
    save(table, wide_table(table), caption, output)


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers: a row per model and grouping, and a column of text per step.

    Args:
        table: the columns model, grouping, step and facts.
    """
    wide = table.pivot_table(index=["model", "grouping"], columns="step", values="facts", sort=False)[list(STEPS)]
    return wide.astype(int).astype(str).rename(columns=lambda step: step.replace("_", " ")).rename_axis(columns=None)
