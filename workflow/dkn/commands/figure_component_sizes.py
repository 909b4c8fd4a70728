"""Figure component-sizes: neurons and layers of NTC's components across all facts."""

from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._figures import save
from dkn.commands._flags import FactsFlag, FoldersFlag, PdfFlag, SeedFlag
from dkn.figures.component_sizes import caption, draw, measured, shares
from dkn.io import read_table
from dkn.tables import COMPONENTS, FACTS, KNOWLEDGE_NEURONS


def main(
    facts: FactsFlag,
    model: FoldersFlag,
    resamples: Annotated[int, Option(help="Bootstrap resamples.")],
    confidence: Annotated[float, Option(help="Of the intervals.")],
    seed: SeedFlag,
    output: PdfFlag,
) -> None:
    """Draw from stored records."""
    subjects = read_table(facts, FACTS).set_index("fact_id")["subject"]
    tables = []
    for folder in model:
        components = read_table(folder / "components" / "ntc.parquet", COMPONENTS)
        neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS)
        sizes = measured(components, neurons, subjects)
        tables.append(shares(folder.name, sizes, resamples, confidence, seed))
    table = pd.concat(tables, ignore_index=True)
    save(draw(table, [folder.name for folder in model], confidence), table, output, caption(table))
