"""Table funnel: how many facts are left at each step, by model and grouping."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import OutputFlag
from dkn.commands._tables import save
from dkn.funnel import STEPS, funnel, wide_table
from dkn.io import read_table
from dkn.tables import COMPONENTS, DISTANCES, KNOWLEDGE_NEURONS, KNOWN


def main(
    model: Annotated[list[Path], Option(help="A model's folder of results; repeatable.")],
    grouping: Annotated[list[str], Option(help="Name of a grouping; repeatable.")],
    output: OutputFlag,
) -> None:
    """Write the CSV, a row per model, grouping and step, and beside it in Markdown and LaTeX a row per grouping."""
    rows = []
    for folder in model:
        known = read_table(folder / "known.parquet", KNOWN)
        neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS)
        distances = read_table(folder / "distances.parquet", DISTANCES)
        for name in grouping:
            components = read_table(folder / "components" / f"{name}.parquet", COMPONENTS)
            counts = funnel(known, neurons, distances, components)
            rows += [(folder.name, name, step, counts[step]) for step in STEPS]
    table = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    caption = "Facts left at every step, by model and grouping; random: random groups of the sizes of NTC's components."
    save(table, wide_table(table), caption, output)
