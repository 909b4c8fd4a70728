"""Table ``fine_tuning``: accuracies at the chosen epoch, by kind of question and by what was trained."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import DKN, SPLITS, TUNED_SETS, WORDS
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import OVER_DRAWS, Line, Summaries, difference, write

TITLE = (
    "Fine-tuning: greedy accuracy and Prob of the answer at the chosen epoch, by what was trained, and the learning "
    "rate that the development facts chose of those tried"
)
SETTINGS = {
    "trained parameters": "trained_parameters",
    "learning rate": "learning_rate",
    "lowest tried": "lowest_rate",
    "highest tried": "highest_rate",
}


def lines(_summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per kind of question and trained neuron set."""
    sets = [(tuned, name) for tuned, names in TUNED_SETS.items() for name in names]
    for split, title in SPLITS.items():
        for tuned, name in sets:
            labels = {"questions": title, "trained": WORDS[name]}
            experiment = f"fine-tuning-{tuned}"
            for metric, measure in (("accuracy", "accuracy"), ("prob", "Prob")):
                where = {"neuron_set": name, "split": split, "metric": metric}
                yield Line(labels, measure, experiment, "estimates", where)
            where = {"first": DKN, "second": name, "split": split, "metric": "accuracy"}
            yield difference(labels, "D minus it, accuracy", "fine-tuning-dkn", where)
            for measure, key in SETTINGS.items():
                yield Line(labels, measure, experiment, "sets", {"neuron_set": name, "draw": 0}, key)


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, stored_by_model(model, experiment), confidence, output, OVER_DRAWS)
