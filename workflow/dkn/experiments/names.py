"""Names that experiments, summaries, figures and tables share."""

from dkn.perturbations import PERTURBATIONS

NTC = "ntc"
CLUSTERINGS = ("dbscan", "hierarchical", "kmeans", "hdbscan")  # from the same distances, by scikit-learn and scipy
CONTROL = "random-partition"  # random groups of the same sizes, not tested
TESTED_CONTROL = "random"  # random groups of NTC's sizes that went through the functional test as NTC's did
CONTROLS = (CONTROL, TESTED_CONTROL)
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}

# Neuron sets, and which of them each fine-tuning experiment trains.
DKN, KN, RANDOM, RANDOM_KN, ALL = "dkn", "kn", "random", "random-kn", "all"
NEURON_SETS = {
    DKN: "degenerate knowledge neurons",
    KN: "knowledge neurons",
    RANDOM: "random neurons, as many per layer as DKNs",
    RANDOM_KN: "random neurons, as many per layer as KNs",
    ALL: "all parameters",
}
DRAWN = (RANDOM, RANDOM_KN)
TUNED_SETS = {DKN: (DKN,), KN: (KN,), RANDOM: (RANDOM, RANDOM_KN), ALL: (ALL,)}

# Fine-tuning: what is asked, and which facts choose learning rates and epochs.
NEW, AUGMENTED, OLD = "new", "augmented", "old"
SPLITS = {NEW: "new facts", AUGMENTED: "new facts, unseen paraphrases", OLD: "old facts"}
DEVELOPMENT, TEST = "development", "test"

# Overlap: random neurons matched by layer, or by layer and activation too.
MATCHED = "random-matched"

# Queries of the perturbation experiments: the fact's prompt, its perturbations, and two that summaries derive: the mean
# over perturbations, and its excess over the original.
ORIGINAL = "original"
QUERIES = (ORIGINAL, *PERTURBATIONS)
PERTURBED, INTERACTION = "perturbed", "interaction"
