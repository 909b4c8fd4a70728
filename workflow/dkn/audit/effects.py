"""What a switch does: to the knowledge neurons, to the facts with a DKN, to the main numbers, and to the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dkn.audit.numbers import HEADLINES, ON_THE_PATH, Headline, Numbers, Reading, evidence
from dkn.audit.states import STEP, Comparison, State, comparisons, ends, missing_switches
from dkn.audit.steps import Steps
from dkn.experiments.degeneracy_measures import Averages
from dkn.neurons.sets import NeuronSet
from dkn.paper.verdicts import Thresholds, verdicts
from dkn.progress import one_bar, progress
from dkn.randomness import generator
from dkn.statistics.inference import Contrast
from dkn.statistics.weighted import Combination, change, measured, value_of
from dkn.study.names import NTC, TESTED_CONTROLS
from dkn.study.protocol import STATED
from dkn.summaries.fact_checking import ThresholdSettings
from dkn.summaries.fine_tuning import QuestionSettings
from dkn.summaries.perturbation import PerturbedAverages

FEWEST_RESAMPLES = 100  # where only the standard error is needed, which takes none


def jaccard(first: Mapping[str, NeuronSet], second: Mapping[str, NeuronSet]) -> tuple[float, int]:
    """Return how alike the knowledge neurons of two states are, from 0 to 1, and over how many facts.

    A fact's likeness is the number of neurons that both sets have, as a share of those that either has; the mean is
    over the facts that have knowledge neurons in both states. It is NaN where there are none.
    """
    shared = sorted(first.keys() & second.keys())
    likeness = []
    for fact_id in shared:
        one, other = (
            set(zip(of.layers.tolist(), of.neurons.tolist(), strict=True)) for of in (first[fact_id], second[fact_id])
        )
        likeness.append(len(one & other) / len(one | other))
    return (float(np.mean(likeness)) if likeness else float("nan")), len(shared)


class StateRecords:
    """The records of a state, each of them computed when it is asked for, see ``numbers.Records``."""

    def __init__(self, steps: Steps, state: State):
        self._steps, self._state = steps, state

    def degeneracy(self, grouping: str) -> pd.DataFrame:
        """Return the records of a grouping with its control."""
        own = grouping == NTC or grouping in TESTED_CONTROLS
        return self._steps.get("degeneracy" if own else "rival_degeneracy", self._state)[grouping]

    def perturbation(self, experiment: str) -> pd.DataFrame:
        """Return the records of a suppression or enhancement experiment."""
        return self._steps.get(experiment, self._state)

    def checking(self, judged: bool) -> pd.DataFrame:
        """Return the records of fact-checking by neurons, or by the model itself."""
        return self._steps.get("judged" if judged else "checking", self._state)

    def tuning(self) -> pd.DataFrame:
        """Return the records of fine-tuning."""
        return self._steps.get("tuning", self._state).records

    def overlap(self) -> pd.DataFrame:
        """Return the records of the overlap experiment."""
        return self._steps.get("overlap", self._state)


class Effects:
    """The effects of the switches on one model.

    Args:
        steps: the steps of the audit.
    """

    def __init__(self, steps: Steps):
        self.steps, self.study = steps, steps.study
        self._numbers: dict[State, Numbers] = {}
        self._headlines: dict[tuple[str, State], Combination] = {}
        self._verdicts: dict[State, dict[str, str]] = {}

    def numbers(self, state: State) -> Numbers:
        """Return the numbers of a state; what they take is computed when it is asked for."""
        if state not in self._numbers:
            self._numbers[state] = Numbers(StateRecords(self.steps, state), self._reading(state))
        return self._numbers[state]

    def _reading(self, state: State) -> Reading:
        choice = self.steps.choice
        thresholds = choice("threshold", ThresholdSettings(), state)
        return Reading(
            choice("averages", Averages(), state),
            choice("perturbed averages", PerturbedAverages(), state),
            thresholds.of_detectors(),
            choice("questions", QuestionSettings(), state).questions,
        )

    def headline(self, headline: Headline, state: State) -> Combination:
        """Return a main number of a state."""
        key = headline.name, state
        if key not in self._headlines:
            self._headlines[key] = self.numbers(state).headline(headline)
        return self._headlines[key]

    def verdicts(self, state: State) -> dict[str, str]:
        """Return the verdict on every claim and reading, under keys like ``C1/primary``."""
        if state not in self._verdicts:
            numbers = self.numbers(state)
            experiments = dict.fromkeys(piece.experiment for piece in evidence())
            summaries: dict[str, dict[str, Any]] = {
                name: {"contrasts": []} for name in experiments if numbers.was_run(name)
            }
            for number, piece in enumerate(evidence()):
                combination = numbers.contrast(piece)
                if combination:
                    row = {
                        **piece.where,
                        **self._measured(combination, f"evidence/{number}", FEWEST_RESAMPLES).as_dict(),
                    }
                    summaries[piece.experiment]["contrasts"].append(row)
            of = self.study.claims
            thresholds = Thresholds(of.alpha, of.margins.model_dump(), of.minimum_subjects)
            self._verdicts[state] = {
                f"{row['claim']}/{row['reading']}": row["verdict"] for row in verdicts(summaries, thresholds)
            }
        return self._verdicts[state]

    def _measured(self, combination: Combination, key: str, resamples: int | None = None) -> Contrast:
        draw = generator(self.study.seed, "audit", key)
        return measured(combination, resamples or self.study.audit.resamples, self.study.statistics.confidence, draw)

    def counts(self, state: State) -> dict[str, int]:
        """Return how many facts have knowledge neurons, how many of these a DKN, and how many two BDCs or more."""
        return {
            "with_knowledge_neurons": len(self.steps.members(state)),
            "with_dkn": len(self.steps.dkns(state)),
            "degenerate": len(self.steps.dkns(state, fewest=2)),
        }

    def of_state(self, state: State) -> dict[str, Any]:
        """Return the counts, main numbers and verdicts of a state."""
        found = {one.name: self._measured(self.headline(one, state), one.name) for one in HEADLINES}
        return {
            "switches": sorted(state),
            "counts": self.counts(state),
            "numbers": {name: _stated(number) for name, number in found.items()},
            "verdicts": self.verdicts(state),
        }

    def of_comparison(self, comparison: Comparison) -> dict[str, Any]:
        """Return what changes between two states; a number's change is after minus before.

        A step of the path has the numbers ``ON_THE_PATH`` and no verdicts.
        """
        before, after = comparison.before, comparison.after
        likeness, facts = jaccard(self.steps.members(before), self.steps.members(after))
        of_path = comparison.direction == STEP
        numbers = {}
        for headline in HEADLINES:
            if of_path and headline.name not in ON_THE_PATH:
                continue
            first, second = (self.headline(headline, state) for state in (before, after))
            changed = self._measured(change(second, first) if first and second else [], headline.name)
            values = {"before": value_of(first), "after": value_of(second)}
            numbers[headline.name] = {**values, **_stated(changed)}
        ended = ({}, {}) if of_path else (self.verdicts(before), self.verdicts(after))
        return {
            "direction": comparison.direction,
            "switch": comparison.switch,
            "jaccard": likeness,
            "jaccard_facts": facts,
            "counts_before": self.counts(before),
            "counts_after": self.counts(after),
            "numbers": numbers,
            "verdicts": {name: [verdict, ended[1][name]] for name, verdict in ended[0].items()},
        }

    def audit(self) -> dict[str, Any]:
        """Return the whole audit, ready for JSON."""
        gated = self.steps.gated
        compared = progress(list(comparisons(gated)), "audit", unit="state")
        with one_bar():
            states = {name: self.of_state(state) for name, state in ends(gated).items()}
            found = [self.of_comparison(one) for one in compared]
        return {
            "sample": len(self.steps.sample),
            "known": int(self.steps.facts.loc[self.steps.sample, "known"].sum()),
            "states": states,
            "comparisons": found,
            "missing": missing_switches(gated),
            "stated": STATED,
            "steps": self.steps.computed,
        }


def _stated(number: Contrast) -> dict[str, Any]:
    """Return what is stored of a number."""
    fields = number.as_dict()
    return {
        "value": fields["difference"],
        **{name: fields[name] for name in ("low", "high", "se", "facts", "subjects")},
    }
