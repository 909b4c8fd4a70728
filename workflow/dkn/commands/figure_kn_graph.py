"""Figure kn-graph: one fact's knowledge neurons across the layers, with its components."""

from dkn.commands._example import FactFlag, QuantileFlag, read_examples
from dkn.commands._figures import save
from dkn.commands._flags import FactsFlag, FoldersFlag, PdfFlag
from dkn.figures.example import caption
from dkn.figures.kn_graph import draw, table


def main(
    facts: FactsFlag,
    model: FoldersFlag,
    quantile: QuantileFlag,
    output: PdfFlag,
    example: FactFlag = None,
) -> None:
    """Draw from stored records."""
    _, examples = read_examples(facts, model, quantile, example)
    save(draw(examples), table(examples), output, caption(examples))
