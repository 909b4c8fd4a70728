"""Table ``ablation``: what is left of a fact without its knowledge neurons, and how much each order of neurons says."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import ATTRIBUTION, WORDS
from dkn.summaries.ablation import ORDERS
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import Line, Summaries, difference, write

TITLE = (
    "Ablation: the share of Prob that is left with as many neurons suppressed as the fact has knowledge neurons, the "
    "first of an order (by attribution they are the knowledge neurons), and with all others suppressed; "
    "comprehensiveness and sufficiency are means over the powers of two up to the number of stored scores"
)
MEASURES = {
    "left": "left, first suppressed",
    "alone": "left, all others suppressed",
    "comprehensiveness": "comprehensiveness",
    "sufficiency": "sufficiency",
}
DIFFERENCES = {
    "drop": "attribution minus it, drop",
    "alone": "attribution minus it, all others suppressed",
    "comprehensiveness": "attribution minus it, comprehensiveness",
    "sufficiency": "attribution minus it, sufficiency",
}
EXPERIMENT = "ablation"


def lines(_summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per order, and one for all neurons of the model."""
    for order in ORDERS:
        labels = {"neurons": WORDS[order]}
        for metric, measure in MEASURES.items():
            yield Line(labels, measure, EXPERIMENT, "estimates", {"order": order, "metric": metric})
        for metric, measure in DIFFERENCES.items():
            where = {"first": ATTRIBUTION, "second": order, "metric": metric}
            yield difference(labels, measure, EXPERIMENT, where)
    yield Line({"neurons": "all"}, MEASURES["left"], EXPERIMENT, "estimates", {"order": "all", "metric": "left"})


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, stored_by_model(model, experiment), confidence, output)
