"""Names that experiments, summaries and figures share."""

from dkn.perturbations import PERTURBATIONS

CONTROL = "random-partition"
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}

# Queries of the perturbation experiments: the fact's prompt, its perturbations, and two that summaries derive: the mean
# over perturbations, and its excess over the original.
ORIGINAL = "original"
QUERIES = (ORIGINAL, *PERTURBATIONS)
PERTURBED, INTERACTION = "perturbed", "interaction"
