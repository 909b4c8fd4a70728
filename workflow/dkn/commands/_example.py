"""The example fact of a study's figures, from stored records."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.errors import UserError
from dkn.figures.example import Example, choose_example
from dkn.io import read_table
from dkn.tables import COMPONENTS, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN

FactFlag = Annotated[str | None, Option(help="Id of the fact; by default the one with most components.")]
QuantileFlag = Annotated[float, Option(help="Where the filtration stops, of the finite distances.")]


def _example(folder: Path, fact: pd.Series, components: pd.DataFrame, quantile: float) -> Example:
    def of_fact(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["fact_id"] == fact["fact_id"]]

    neurons = of_fact(read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS)).sort_values("place")
    if neurons.empty:
        raise UserError(f"fact {fact['fact_id']!r} has no knowledge neurons in {folder.name}; choose another example")
    answer = of_fact(read_table(folder / "known.parquet", KNOWN))["answer"].iloc[0]
    return Example(
        model=folder.name,
        fact=f"“{fact['prompt']} … {answer}”",
        neurons=neurons,
        distances=of_fact(read_table(folder / "distances.parquet", DISTANCES)),
        components=of_fact(components),
        quantile=quantile,
    )


def read_examples(facts: Path, models: list[Path], quantile: float, chosen: str | None) -> tuple[str, list[Example]]:
    """The id of the example fact, and its records in each model.

    Raises:
        UserError: the chosen fact does not exist, or has no knowledge neurons in a model.
    """
    components = {folder.name: read_table(folder / "components" / "ntc.parquet", COMPONENTS) for folder in models}
    table = read_table(facts, FACTS).set_index("fact_id", drop=False)
    fact_id = chosen or choose_example(components)
    if fact_id not in table.index:
        raise UserError(f"figures.example_fact: there is no fact {fact_id!r}")
    return fact_id, [_example(folder, table.loc[fact_id], components[folder.name], quantile) for folder in models]
