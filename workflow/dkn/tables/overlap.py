"""Table ``overlap``: how much of each neuron set is among the neurons that full fine-tuning changes most."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import DKN, KN, MATCHED, RANDOM, RANDOM_KN, WORDS
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import OVER_DRAWS, Line, Summaries, difference, write

TITLE = (
    "Overlap: a fact's neurons among those that full fine-tuning changes most, as many as all degenerate knowledge "
    "neurons, and the change as a detector of them"
)


def lines(_summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per kind of change and neuron set."""
    measures = {"share": "share among the most changed", "auroc": "AUROC of the change"}
    changes = {
        "both": "relative",
        "absolute": "absolute",
        "reading": "of reading vectors",
        "writing": "of writing vectors",
    }
    for part, title in changes.items():
        for name in (DKN, KN, RANDOM, MATCHED, RANDOM_KN):
            labels = {"change": title, "neurons": WORDS[name]}
            for metric, measure in measures.items():
                where = {"neuron_set": name, "part": part, "metric": metric}
                yield Line(labels, measure, "overlap-fine-tuning", "estimates", where)
            for metric, measure in (("share", "D minus it, share"), ("auroc", "D minus it, AUROC")):
                where = {"first": DKN, "second": name, "part": part, "metric": metric}
                yield difference(labels, measure, "overlap-fine-tuning", where)


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, stored_by_model(model, experiment), confidence, output, OVER_DRAWS)
