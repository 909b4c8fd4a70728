"""Figure persistence: barcode and persistence diagram of one fact."""

import numpy as np

from dkn.commands._example import FactFlag, QuantileFlag, read_examples
from dkn.commands._figures import save
from dkn.commands._flags import FactsFlag, FoldersFlag, PdfFlag
from dkn.figures.example import caption
from dkn.figures.persistence import draw, table
from dkn.io import read_table
from dkn.tables import DIAGRAMS


def main(
    facts: FactsFlag,
    model: FoldersFlag,
    quantile: QuantileFlag,
    output: PdfFlag,
    example: FactFlag = None,
) -> None:
    """Draw from stored records."""
    fact_id, examples = read_examples(facts, model, quantile, example)
    diagrams = [read_table(folder / "diagrams.parquet", DIAGRAMS) for folder in model]
    loops = [frame[(frame["fact_id"] == fact_id) & (frame["dimension"] == 1)] for frame in diagrams]
    shown = table(examples, loops).replace(np.inf, np.nan)
    save(draw(examples, loops), shown, output, caption(examples))
