"""Table ``fact_checking``: how well true statements are told from false ones, by wording, neurons and detector."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import DETECTORS, DKN, KN, WORDS
from dkn.study.protocol import applied
from dkn.summaries.fact_checking import ThresholdSettings
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import Line, Summaries, difference, write

TITLE = "Fact-checking: true statements told from false ones, at the threshold of the training split"
FIXED = "Fact-checking: true statements told from false ones, at fixed thresholds of attribution"
MEASURES = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
}
DIFFERENCES = {DKN: ("balanced_accuracy", "auroc", "f1"), KN: ("balanced_accuracy", "auroc")}


def lines(_summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per wording, origin of the neurons and detector."""
    origins = {"own": "found with the true answer", "relation": "of the relation", "none": "none"}
    experiments = {detector: name for name, detectors in DETECTORS.items() for detector in detectors}
    for wording in ("triple", "complex"):
        for neurons, title in origins.items():
            for detector in filter(experiments.get, WORDS):
                labels = {"wording": wording, "neurons": title, "detector": WORDS[detector]}
                about = {"detector": detector, "neurons": neurons, "wording": wording}
                for metric, measure in MEASURES.items():
                    experiment = f"fact-checking-{experiments[detector]}"
                    yield Line(labels, measure, experiment, "estimates", {**about, "metric": metric})
                for first, metrics in DIFFERENCES.items():
                    pair = {"first": first, "second": detector, "neurons": neurons, "wording": wording}
                    for metric in metrics:
                        measure = f"{WORDS[first]} minus it, {MEASURES[metric]}"
                        yield difference(labels, measure, f"fact-checking-{first}", {**pair, "metric": metric})


def main(
    model: flags.Folders,
    experiment: flags.Experiments,
    confidence: flags.Confidence,
    output: flags.Csv,
    released: flags.Released = None,
) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    fixed = applied("threshold", ThresholdSettings(), released).attribution == "fixed"
    write(FIXED if fixed else TITLE, lines, stored_by_model(model, experiment), confidence, output)
