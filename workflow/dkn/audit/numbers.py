"""The numbers of a study under one state of the switches, as combinations of weighted means over facts.

The numbers are those of the study's own summaries: a test compares them. As combinations they can be subtracted from
those of another state, whose facts and weights may differ, under one bootstrap over subjects (``statistics.weighted``).
Random draws and trainings are averaged, and their errors are no part of the audit's intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import pandas as pd

from dkn.experiments.degeneracy_measures import Averages
from dkn.experiments.degeneracy_measures import with_metrics as with_drops
from dkn.paper.claims import CLAIMS, Evidence
from dkn.statistics.detection_means import detector_mean
from dkn.statistics.weighted import Combination, WeightedMean, change
from dkn.study.names import DEGENERATE, DETECTORS, DKN, NONE, ORIGINAL, PERTURBED, PLM, TESTED_CONTROLS
from dkn.summaries import degeneracy_means, fact_checking, fine_tuning, overlap, perturbation
from dkn.summaries.by_fact import minus
from dkn.summaries.perturbation import PerturbedAverages


class Records(Protocol):
    """The records of a study's experiments, with the columns of their schemas."""

    def degeneracy(self, grouping: str) -> pd.DataFrame:
        """Return the records of a grouping with its control, or those of a tested control."""

    def perturbation(self, experiment: str) -> pd.DataFrame:
        """Return the records of an experiment such as ``suppression-values``."""

    def checking(self, judged: bool) -> pd.DataFrame:
        """Return the records of fact-checking by neurons, or by the model itself."""

    def tuning(self) -> pd.DataFrame:
        """Return the records of all fine-tuning experiments together; empty where nothing was trained."""

    def overlap(self) -> pd.DataFrame:
        """Return the records of the overlap experiment; empty where nothing was trained."""


@dataclass(frozen=True)
class Reading:
    """How records become numbers.

    Attributes:
        averages: how drops are averaged in the degeneracy experiment.
        perturbed: which records count in suppression and enhancement, and what a drop on perturbed queries is.
        thresholds: the fixed thresholds of detectors, by their names.
        questions: which questions of fine-tuning count, ``all`` or ``filtered``.
    """

    averages: Averages = field(default_factory=Averages)
    perturbed: PerturbedAverages = field(default_factory=PerturbedAverages)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    questions: str = "all"


@dataclass(frozen=True)
class Headline:
    """A main number of the paper, which the audit follows through the switches.

    Attributes:
        name: its name in files.
        label: what it is, in words.
        evidence: where the study's summaries have it.
        of_contrast: whether it is a contrast there, or an estimate.
    """

    name: str
    label: str
    evidence: Evidence
    of_contrast: bool = True


def _gap(kind: str, experiment: str) -> Evidence:
    return Evidence(experiment, {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": kind})


def _perturbed(experiment: str, second: str, population: str, metric: str) -> Evidence:
    where = {"first": "dkn", "second": second, "query": "perturbed", "metric": metric, "population": population}
    return Evidence(experiment, where)


HEADLINES = (
    Headline("gap", "gap of NTC's groups: full minus partial drop in Prob", _gap("gap", "degeneracy-ntc"), False),
    Headline(
        "gap_beyond_control",
        "the gap beyond random groups of the same sizes",
        _gap("gap_beyond_control", "degeneracy"),
        False,
    ),
    Headline(
        "suppression_d",
        "suppression, perturbed queries: drop by D",
        Evidence(
            "suppression-values", {"population": "all", "neuron_set": "dkn", "query": "perturbed", "metric": "drop"}
        ),
        False,
    ),
    Headline(
        "suppression",
        "suppression, perturbed queries: drop by D minus by as many of N",
        _perturbed("suppression-values", "kn-matched", DEGENERATE, "drop"),
    ),
    Headline(
        "suppression_random",
        "suppression, perturbed queries: drop by D minus by random neurons",
        _perturbed("suppression-values", "random", "all", "drop"),
    ),
    Headline(
        "enhancement",
        "enhancement, perturbed queries: accuracy by D minus by as many of N",
        _perturbed("enhancement-values", "kn-matched", DEGENERATE, "accuracy"),
    ),
    Headline(
        "fact_checking",
        "fact-checking: F1 by D minus by N",
        Evidence(
            "fact-checking-dkn",
            {"first": "dkn", "second": "kn", "neurons": "relation", "wording": "triple", "metric": "f1"},
        ),
    ),
    Headline(
        "fact_checking_complex",
        "fact-checking in the complex wording: F1 by D minus by N",
        Evidence(
            "fact-checking-dkn",
            {"first": "dkn", "second": "kn", "neurons": "relation", "wording": "complex", "metric": "f1"},
        ),
    ),
    Headline(
        "overlap",
        "overlap with what training changes most: share of D minus of random neurons",
        Evidence("overlap-fine-tuning", {"first": "dkn", "second": "random", "part": "both", "metric": "share"}),
    ),
    Headline(
        "new_facts",
        "fine-tuning: accuracy on new facts by D",
        Evidence("fine-tuning-dkn", {"neuron_set": "dkn", "split": "new", "metric": "accuracy"}),
        False,
    ),
    Headline(
        "old_facts",
        "fine-tuning: accuracy on old facts by D minus by all parameters",
        Evidence("fine-tuning-dkn", {"first": "dkn", "second": "all", "split": "old", "metric": "accuracy"}),
    ),
)
ON_THE_PATH = ("gap", "suppression_d", "suppression", "fact_checking")  # the numbers that are followed through the path


class Numbers:
    """The numbers of one state; each is computed when it is asked for.

    Args:
        records: the records of the state's experiments.
        reading: how they become numbers.
    """

    def __init__(self, records: Records, reading: Reading):
        self.records, self.reading = records, reading
        self._means: dict[str, degeneracy_means.Means] = {}
        self._checked: dict[bool, fact_checking.Conditions] = {}
        self._perturbed: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def headline(self, headline: Headline) -> Combination:
        """Return a main number; empty where the records do not give it."""
        number = self.contrast if headline.of_contrast else self._estimate
        return number(headline.evidence)

    def contrast(self, evidence: Evidence) -> Combination:
        """Return the contrast that a claim needs: first minus second; empty where the records do not give it."""
        experiment = evidence.experiment
        if experiment.startswith("degeneracy"):
            return self._gap_contrast(experiment, evidence.where)
        if experiment.startswith(("suppression", "enhancement")):
            queries = self._perturbation(experiment, evidence.where["population"])
            pair = [queries.get(evidence.where[side], {}).get(evidence.where["query"], {}) for side in _SIDES]
            return _difference(*(of.get(evidence.where["metric"], []) for of in pair))
        if experiment.startswith("fact-checking"):
            return self._detection(evidence.where)
        table = self._overlap if experiment.startswith("overlap") else self._tuning
        return _difference(
            *(self._of_facts(table, {**evidence.where, "neuron_set": evidence.where[side]}) for side in _SIDES)
        )

    def was_run(self, experiment: str) -> bool:
        """Tell whether an experiment was run; where not, its contrasts do not lack facts.

        Suppression and enhancement compare nothing where the DKN is alone.
        """
        if experiment.startswith(("suppression", "enhancement")):
            sets = self.records.perturbation(experiment)["neuron_set"]
            return sets.empty or not sets.isin((NONE, DKN)).all()
        return True

    def _estimate(self, evidence: Evidence) -> Combination:
        where = evidence.where
        if evidence.experiment.startswith("degeneracy"):
            return self._gaps("ntc").get((where["selection"], "ntc"), {}).get((where["metric"], where["kind"]), [])
        if evidence.experiment.startswith("suppression"):
            of_set = self._perturbation(evidence.experiment, where["population"]).get(where["neuron_set"], {})
            return of_set.get(where["query"], {}).get(where["metric"], [])
        return self._of_facts(self._tuning, where)

    # --- degeneracy ---

    def _gaps(self, grouping: str) -> degeneracy_means.Means:
        """Return the means of a grouping with its control."""
        if grouping not in self._means:
            averages = self.reading.averages
            self._means[grouping] = degeneracy_means.means(
                with_drops(self.records.degeneracy(grouping), averages), averages
            )
        return self._means[grouping]

    def _gap_contrast(self, experiment: str, where: Mapping[str, str]) -> Combination:
        selection, key = where["selection"], (where["metric"], where["kind"])
        own = self._gaps("ntc").get((selection, "ntc"), {}).get(key, [])
        second = where["second"]
        table = second if experiment == "degeneracy" or second in TESTED_CONTROLS else "ntc"
        return _difference(own, self._gaps(table).get((selection, second), {}).get(key, []))

    # --- suppression and enhancement ---

    def _perturbation(self, experiment: str, population: str) -> dict[str, dict[str, Any]]:
        """Return the means of one experiment in one population."""
        if (experiment, population) not in self._perturbed:
            setting, site = experiment.split("-")
            metrics = (*perturbation.CONTRASTED[setting][:1], "prob")  # the claims' metric, and what reductions take
            counted = self.reading.perturbed.counted(self.records.perturbation(experiment), site)
            rows = counted[counted["components"] >= (2 if population == DEGENERATE else 1)]
            found = {}
            if len(rows):
                facts = perturbation.per_fact(perturbation.with_metrics(rows), metrics)
                asked = facts[facts["query"].isin([ORIGINAL, PERTURBED])]
                found = perturbation.means(asked, metrics, self.reading.perturbed)
            self._perturbed[experiment, population] = found
        return self._perturbed[experiment, population]

    # --- fact-checking ---

    def _conditions(self, detector: str) -> fact_checking.Conditions:
        """Return the conditions of the experiment that has a detector."""
        judged = detector in DETECTORS[PLM]
        if judged not in self._checked:
            self._checked[judged] = fact_checking.conditions(self.records.checking(judged), self.reading.thresholds)
        return self._checked[judged]

    def _detection(self, where: Mapping[str, str]) -> Combination:
        wording, of_second = where["wording"], self._conditions(where["second"])
        draws = self._conditions(where["first"]).get((where["first"], where["neurons"], wording), [])
        keys = ((where["second"], origin, wording) for origin in (where["neurons"], NONE))
        others = next((of_second[key] for key in keys if key in of_second), [])
        if not draws or not others:
            return []
        own = [scores.on_facts_of(others[0]) for scores in draws]
        rival = [scores.on_facts_of(draws[0]) for scores in others]
        if own[0].test.empty:
            return []
        return change(detector_mean(own, where["metric"]), detector_mean(rival, where["metric"]))

    # --- fine-tuning and overlap ---

    @cached_property
    def _tuning(self) -> pd.DataFrame:
        records = self.records.tuning()
        if records.empty:
            return pd.DataFrame()
        if self.reading.questions == fine_tuning.FILTERED:
            records, _ = fine_tuning.filtered(records, records.iloc[:0])
        facts = fine_tuning.per_fact(records)
        return fine_tuning.over_draws(facts[facts["chosen"]])

    @cached_property
    def _overlap(self) -> pd.DataFrame:
        records = self.records.overlap()
        return overlap.per_fact(records) if len(records) else pd.DataFrame()

    def _of_facts(self, table: pd.DataFrame, where: Mapping[str, str]) -> Combination:
        """Return the mean of a metric over the facts whose rows have the values of ``where``."""
        if table.empty:
            return []
        chosen = table
        for column in ("neuron_set", "split", "part"):
            if column in where and column in table:
                chosen = chosen[chosen[column] == where[column]]
        frame = chosen.set_index("fact_id")
        return [(1.0, WeightedMean.of(frame[where["metric"]], frame["subject"]))] if len(frame) else []


_SIDES = ("first", "second")


def _difference(first: Combination, second: Combination) -> Combination:
    """Return first minus second; empty where one of the two is."""
    return minus(first, second) if first and second else []


def evidence() -> Sequence[Evidence]:
    """Return every contrast that some reading of a claim needs, each once."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Evidence] = {}
    for claim in CLAIMS:
        for piece in (*claim.primary, *claim.literal):
            found.setdefault((piece.experiment, tuple(sorted(piece.where.items()))), piece)
    return tuple(found.values())
