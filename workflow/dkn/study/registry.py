"""The list of the experiments, from which rules, documentation, tables and verdicts are made.

The paper counts 34 experiments in 6 settings and does not list them; ``EXPERIMENTS``, 17 per model, are a
reconstruction. ``CONTROLS`` are further ones, which ask what the paper's conclusions rest on without saying so. In the
texts, D are a fact's degenerate knowledge neurons, N (or KNs) its knowledge neurons, and Prob is the probability of its
answer. The Snakefile uses this module, so it imports nothing that loads slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dkn.study.names import DETECTORS, SITES, TUNED_SETS

GROUPINGS = ("ntc", "dbscan", "hierarchical", "kmeans", "amig")


@dataclass(frozen=True)
class Experiment:
    """One experiment of the study.

    Attributes:
        name: the name of its target and of its folder, ``results/{model}/experiments/{name}``.
        setting: its setting, one of the paper's six; a control has one of its own.
        question: the question that it asks.
        metric: what it measures; the paper's own metric comes first.
        contrasts: what its summary compares.
        claims: the claims of ``dkn.paper.claims`` that it tests; none, by default.
        reported: the keys under which ``resources/reported_results.yaml`` has the paper's number, or None.
    """

    name: str
    setting: str
    question: str
    metric: str
    contrasts: str
    claims: tuple[str, ...] = ()
    reported: tuple[str, ...] | None = None


def _degeneracy(grouping: str) -> Experiment:
    """Return the experiment on the degeneracy of a grouping's components."""
    return Experiment(
        name=f"degeneracy-{grouping}",
        setting="degeneracy",
        question=f"Do a fact's {grouping} components stand in for each other?",
        metric="drop in Prob: proper subsets of components suppressed, and all of them; nats; per neuron",
        contrasts="full minus partial drop, against random groups of the same KNs",
        claims=("C1", "C2") if grouping == "ntc" else ("C2",),
        reported=("degeneracy", grouping),
    )


def _perturbation(setting: str, intervention: str) -> Experiment:
    """Return the experiment that suppresses or enhances neurons at a site of intervention, on perturbed queries."""
    harm = setting == "suppression"
    return Experiment(
        name=f"{setting}-{intervention}",
        setting=setting,
        question="Does losing D hurt perturbed queries?" if harm else "Does boosting D rescue perturbed queries?",
        metric="drop in Prob on the query and on perturbed ones" if harm else "greedy accuracy regained and lost",
        contrasts="D against N, random neurons and other facts' D, on perturbed queries and beyond the original's",
        claims=("C3",) if harm else ("C4",),
        reported=(setting, intervention),
    )


def _fact_checking(detector: str) -> Experiment:
    """Return the experiment in which a detector tells true statements from false ones."""
    return Experiment(
        name=f"fact-checking-{detector}",
        setting="fact-checking",
        question="Can the model itself tell a true statement from a false one?"
        if detector == "plm"
        else f"Can attributions of {detector.upper()} neurons tell a true statement from a false one?",
        metric="F1 at the training split's threshold; precision, recall, balanced accuracy, AUROC",
        contrasts="against the other detectors, on the same statements",
        claims=("C5",),
        reported=("fact_checking", detector),
    )


def _fine_tuning(tuned: str) -> Experiment:
    """Return the experiment that trains a set of neurons, or all parameters."""
    trained = {"dkn": "D alone", "kn": "N alone", "random": "as many random neurons", "all": "everything"}[tuned]
    return Experiment(
        name=f"fine-tuning-{tuned}",
        setting="fine-tuning",
        question=f"Does training {trained} teach new facts without forgetting old ones?",
        metric="greedy accuracy on new, old and paraphrased new facts; trained parameters, memory, time",
        contrasts="against the other sets, on the same facts",
        claims=("C7",),
        reported=("fine_tuning", tuned),
    )


EXPERIMENTS = (
    *(_degeneracy(grouping) for grouping in GROUPINGS),
    *(_perturbation(setting, kind) for setting in ("suppression", "enhancement") for kind in SITES),
    *(_fact_checking(detector) for detector in DETECTORS),
    Experiment(
        name="overlap-fine-tuning",
        setting="overlap",
        question="Do the changes of full fine-tuning land on D?",
        metric="share of D among the most changed neurons; AUROC of change as a detector of D",
        contrasts="D against N, random neurons, and random neurons matched by activation",
        claims=("C6",),
        reported=("overlap",),
    ),
    *(_fine_tuning(tuned) for tuned in TUNED_SETS),
)
CONTROLS = (
    Experiment(
        name="ablation",
        setting="ablation",
        question="What share of a fact do its KNs hold, and does their order say which neurons hold it?",
        metric="Prob left against the number of neurons suppressed, or kept; comprehensiveness and sufficiency",
        contrasts="the order by attribution against those by magnitude and at random",
    ),
    Experiment(
        name="sharing",
        setting="sharing",
        question="Do a fact's components also take part in other facts?",
        metric="share of other facts in which a BDC's neurons are KNs; drop in Prob of other facts without the BDC",
        contrasts="BDCs against random KNs and random neurons; facts that share neurons with a BDC against the others",
    ),
)
EVERY_EXPERIMENT = (*EXPERIMENTS, *CONTROLS)
SETTINGS = tuple(dict.fromkeys(experiment.setting for experiment in EXPERIMENTS))
CONTROL_SETTINGS = tuple(dict.fromkeys(experiment.setting for experiment in CONTROLS))


def of_setting(setting: str) -> tuple[str, ...]:
    """Return the names of the experiments of a setting, of the paper's or of a control's."""
    return tuple(experiment.name for experiment in EVERY_EXPERIMENT if experiment.setting == setting)


def of_study(groupings: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the experiments, controls included, that a study with these groupings runs for each model."""
    left_out = {f"degeneracy-{grouping}" for grouping in GROUPINGS if grouping not in groupings}
    return tuple(experiment.name for experiment in EVERY_EXPERIMENT if experiment.name not in left_out)
