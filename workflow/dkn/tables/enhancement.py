"""Table ``enhancement``: what enhancing each neuron set regains on original and perturbed queries."""

from dkn import flags
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import write
from dkn.tables.perturbation import perturbed_lines

TITLE = (
    "Enhancement: share of queries answered wrongly before and rightly after neurons are enhanced (regained); "
    "differences are of accuracy"
)
LINES = perturbed_lines("enhancement", "regained", "accuracy", ("regained", "D minus it, accuracy"))


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, LINES, stored_by_model(model, experiment), confidence, output)
