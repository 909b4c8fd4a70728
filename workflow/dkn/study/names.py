"""Names that experiments, summaries, figures, tables and rules share, and the words that people read for them."""

from __future__ import annotations

# Ways to group a fact's knowledge neurons, and the controls.
NTC = "ntc"
CLUSTERINGS = ("dbscan", "hierarchical", "kmeans", "hdbscan")  # from the same distances, by scikit-learn and scipy
CONTROL = "random-partition"  # random groups of the same sizes, not tested
TESTED_CONTROL = "random"  # random groups of NTC's sizes that went through the functional test as NTC's did
CONTROLS = (CONTROL, TESTED_CONTROL)
GROUP_WORDS = {
    NTC: "NTC",
    CONTROL: "random groups of the same sizes",
    TESTED_CONTROL: "random groups that pass the test",
}
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}

# Neuron sets and detectors: what tables, legends and captions call them, and what they are in full.
DKN, KN, KN_MATCHED = "dkn", "kn", "kn-matched"
RANDOM, RANDOM_KN, MATCHED = "random", "random-kn", "random-matched"
ALL, NONE, PLM, ANSWER_PROB = "all", "none", "plm", "answer-prob"
WORDS = {
    DKN: "D",
    KN: "N",
    KN_MATCHED: "N, as many as D",
    RANDOM: "random, as many as D",
    MATCHED: "random, as active as D",
    RANDOM_KN: "random, as many as N",
    ALL: "all parameters",
    PLM: "the model, asked",
    ANSWER_PROB: "Prob of the answer",
}
FULL_WORDS = {
    DKN: "the fact's degenerate knowledge neurons (D)",
    KN: "all its knowledge neurons (N), D among them",
    KN_MATCHED: "as many random ones of N as D has",
    RANDOM: "as many random neurons per layer as D has",
}

# Interventions: what they multiply.
SITES = ("values", "weights")

# Fact-checking: the experiments, and the detectors whose records each one holds.
DETECTORS = {DKN: (DKN, RANDOM), KN: (KN,), PLM: (PLM, ANSWER_PROB)}

# Fine-tuning: the experiments, and the neuron sets that each one trains; the sets that are drawn at random.
TUNED_SETS = {DKN: (DKN,), KN: (KN,), RANDOM: (RANDOM, RANDOM_KN), ALL: (ALL,)}
DRAWN = (RANDOM, RANDOM_KN)

# Fine-tuning: what is asked, and which facts choose learning rates and epochs.
NEW, AUGMENTED, OLD = "new", "augmented", "old"
SPLITS = {NEW: "new facts", AUGMENTED: "new facts, unseen paraphrases", OLD: "old facts"}
DEVELOPMENT, TEST = "development", "test"

# Queries of the perturbation experiments: the fact's prompt, its perturbations, and two that summaries derive: the mean
# over perturbations, and its excess over the original.
ORIGINAL = "original"
PERTURBATIONS = ("replace", "add", "delete")
QUERIES = (ORIGINAL, *PERTURBATIONS)
PERTURBED, INTERACTION = "perturbed", "interaction"
