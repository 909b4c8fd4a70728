"""Figure persistence: barcode and persistence diagram of one fact."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.dendrogram import dendrogram, matrix_of_pairs
from dkn.errors import UserError
from dkn.figures.persistence import Example, choose_example, draw, table
from dkn.io import read_table
from dkn.tables import COMPONENTS, DIAGRAMS, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN


def _example(folder: Path, fact: pd.Series, components: pd.DataFrame, quantile: float) -> Example:
    """One fact's stored records in one model."""

    def of_fact(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["fact_id"] == fact["fact_id"]]

    neurons = of_fact(read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS))
    if neurons.empty:
        raise UserError(f"fact {fact['fact_id']!r} has no knowledge neurons in {folder.name}; choose another example")
    answer = of_fact(read_table(folder / "known.parquet", KNOWN))["answer"].iloc[0]
    pairs = of_fact(read_table(folder / "distances.parquet", DISTANCES))
    matrix = matrix_of_pairs(len(neurons), *(pairs[name].to_numpy() for name in ("first", "second", "distance")))
    return Example(
        model=folder.name,
        fact=f"“{fact['prompt']} … {answer}”",
        neurons=len(neurons),
        tree=dendrogram(matrix, quantile),
        diagram=of_fact(read_table(folder / "diagrams.parquet", DIAGRAMS)),
        components=of_fact(components),
    )


def main(
    facts: Annotated[Path, Option(help="facts.parquet")],
    model: Annotated[list[Path], Option(help="A model's folder of results; repeatable.")],
    quantile: Annotated[float, Option(help="Where the filtration stops, of the finite distances.")],
    output: Annotated[Path, Option(help="The PDF; PNG and CSV go beside it.")],
    example: Annotated[str | None, Option(help="Id of the fact; by default the one with most components.")] = None,
) -> None:
    """Draw from stored records."""
    components = {folder.name: read_table(folder / "components" / "ntc.parquet", COMPONENTS) for folder in model}
    table_of_facts = read_table(facts, FACTS).set_index("fact_id", drop=False)
    fact_id = example or choose_example(components)
    if fact_id not in table_of_facts.index:
        raise UserError(f"figures.example_fact: there is no fact {fact_id!r}")
    examples = [_example(folder, table_of_facts.loc[fact_id], components[folder.name], quantile) for folder in model]
    save(draw(examples), table(examples).replace(np.inf, np.nan), output)
