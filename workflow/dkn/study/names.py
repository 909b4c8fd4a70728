"""The names that experiments, summaries, figures, tables and rules share, and the words that readers see for them.

A grouping is a method that divides a fact's knowledge neurons (KNs, N) into groups. NTC (Neurological Topology
Clustering) is the paper's method. A fact's degenerate knowledge neurons (DKN, D) are the union of its base degenerate
components (BDCs): of the components of NTC that pass the functional test (docs/method.md).
"""

from __future__ import annotations

# The groupings and their controls, and the words for them.
NTC = "ntc"
CLUSTERINGS = ("dbscan", "hierarchical", "kmeans", "hdbscan")  # scikit-learn and scipy cluster the distances of NTC
CONTROL = "random-partition"  # random groups of the same sizes, which are not tested
TESTED_CONTROL = "random"  # random groups of NTC's sizes, which go through the functional test as NTC's groups do
SHUFFLED = "shuffled"  # NTC's groups after the weight vectors of each layer are exchanged; they are tested too
TESTED_CONTROLS = (TESTED_CONTROL, SHUFFLED)
CONTROLS = (CONTROL, *TESTED_CONTROLS)
# A selection of a fact's components: those that pass the functional test, or all of them.
SELECTIONS = {"bdc": "base degenerate components", "candidate": "NTC components (no functional test)"}

# The neuron sets and detectors, what tables, legends and captions call them, and what they are in full.
DKN, KN, KN_MATCHED = "dkn", "kn", "kn-matched"
OTHER_FACT, OTHER_RELATION = "dkn-other-fact", "dkn-other-relation"
OTHER_FACTS = (OTHER_FACT, OTHER_RELATION)
RANDOM, RANDOM_KN, MATCHED = "random", "random-kn", "random-matched"
ALL, NONE, PLM, ANSWER_PROB = "all", "none", "plm", "answer-prob"
# The orders in which the ablation experiment suppresses neurons, and what it does with the first of an order.
ATTRIBUTION, MAGNITUDE, RANDOM_ORDER = "attribution", "magnitude", "random-order"
SUPPRESSED, KEPT = "suppressed", "kept"
WORDS = {
    DKN: "D",
    KN: "N",
    KN_MATCHED: "N, as many as D",
    RANDOM: "random, as many as D",
    OTHER_FACT: "D of another fact, as many",
    OTHER_RELATION: "D of another relation, as many",
    MATCHED: "random, as active as D",
    RANDOM_KN: "random, as many as N",
    ALL: "all parameters",
    PLM: "the model, asked",
    ANSWER_PROB: "Prob of the answer",
    ATTRIBUTION: "by attribution",
    MAGNITUDE: "by magnitude",
    RANDOM_ORDER: "at random",
}
GROUP_WORDS = {
    NTC: "NTC",
    CONTROL: "random groups of the same sizes",
    TESTED_CONTROL: "random groups that pass the test",
    SHUFFLED: "shuffled groups that pass the test",
    **{name: WORDS[name] for name in OTHER_FACTS},
}
BEFORE_TEST = {TESTED_CONTROL: "random groups, before the test", SHUFFLED: "shuffled groups, before the test"}
FULL_WORDS = {
    DKN: "the fact's degenerate knowledge neurons (D)",
    KN: "all its knowledge neurons (N), D among them",
    KN_MATCHED: "as many random ones of N as D has",
    RANDOM: "as many random neurons per layer as D has",
    OTHER_FACT: "as many neurons of D of another fact of the relation",
    OTHER_RELATION: "as many neurons of D of a fact of another relation",
}

# The sites of an intervention: suppression and enhancement multiply a neuron's values or its weights.
SITES = ("values", "weights")

# The fact-checking experiments, and the detectors whose records each of them holds.
DETECTORS = {DKN: (DKN, RANDOM), KN: (KN, RANDOM_KN), PLM: (PLM, ANSWER_PROB)}

# The fine-tuning experiments with the neuron sets that each of them trains, and the sets that are drawn at random.
TUNED_SETS = {DKN: (DKN,), KN: (KN,), RANDOM: (RANDOM, RANDOM_KN), ALL: (ALL,)}
DRAWN = (RANDOM, RANDOM_KN)

# The kinds of questions that fine-tuning asks. The development facts choose the learning rates and the epochs.
NEW, AUGMENTED, OLD = "new", "augmented", "old"
SPLITS = {NEW: "new facts", AUGMENTED: "new facts, unseen paraphrases", OLD: "old facts"}
DEVELOPMENT, TEST = "development", "test"

# The queries of the perturbation experiments are a fact's prompt and its perturbations. The summaries derive two more:
# the mean over the perturbations, and its excess over the original query.
ORIGINAL = "original"
PERTURBATIONS = ("replace", "add", "delete")
QUERIES = (ORIGINAL, *PERTURBATIONS)
PERTURBED, INTERACTION = "perturbed", "interaction"
QUERY_DROP = "query_drop"  # what a perturbation alone costs: the relative drop in Prob from the original query
# A query preserves the question, or changes it, because it touches the subject or the date. A study asks either
# preserving ones alone or any; of any, the summaries also state the mean over the queries of each class.
PRESERVING, CHANGING, ANY = "preserving", "changing", "any"
OF_CLASS = {name: f"{PERTURBED}-{name}" for name in (PRESERVING, CHANGING)}

# The facts that summaries of the perturbation experiments are about. A fact with a single BDC is not degenerate.
WITH_DKN, DEGENERATE = "all", "degenerate"
POPULATIONS = {WITH_DKN: "facts with a DKN", DEGENERATE: "facts with two or more BDCs"}

# The facts that experiment ``sharing`` asks while a fact's BDC is suppressed, by what they have in common with that
# fact. Facts of the last two kinds either share knowledge neurons with the BDC or stand apart from it.
BDC = "bdc"
OWN, OF_SUBJECT, OF_ANSWER = "own", "same-subject", "same-answer"
OF_RELATION, ELSEWHERE = "same-relation", "other-relation"
SHARING, APART = "sharing", "apart"
KINDS_OF_FACTS = {
    OF_SUBJECT: "same subject",
    OF_ANSWER: "same answer",
    OF_RELATION: "same relation",
    ELSEWHERE: "other relations",
}
ASKED_FACTS = {
    OWN: "the fact itself",
    OF_SUBJECT: "same subject",
    OF_ANSWER: "same answer",
    f"{OF_RELATION}-{SHARING}": "same relation, shares neurons",
    f"{OF_RELATION}-{APART}": "same relation, shares none",
    f"{ELSEWHERE}-{SHARING}": "other relations, shares neurons",
    f"{ELSEWHERE}-{APART}": "other relations, shares none",
}
SHARING_WORDS = {BDC: "a BDC", KN_MATCHED: "as many KNs of its fact", RANDOM: "as many random neurons"}


def of_first_draw(grouping: str) -> str:
    """Return the name of a grouping where only the first draw of a tested control counts, so that it says so."""
    return f"{grouping} (first draw)" if grouping in TESTED_CONTROLS else grouping
