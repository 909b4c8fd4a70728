"""Table ``suppression``: what suppressing each neuron set costs on original and perturbed queries."""

from dkn import flags
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import write
from dkn.tables.perturbation import perturbed_lines

TITLE = "Suppression: drop in Prob on original and perturbed queries"
LINES = perturbed_lines("suppression", "drop", "drop", ("drop", "D minus it"))


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, LINES, stored_by_model(model, experiment), confidence, output)
