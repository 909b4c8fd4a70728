"""Fine-tuning within an audit: every neuron set is trained a few times, at a learning rate that is chosen once.

A set's learning rate is chosen as in the study, the first time that it is trained, and kept for all other states; where
a switch changes what is trained or how often, it is chosen anew. What equals an earlier training is not trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dkn.audit.states import State
from dkn.decoder.loading import LanguageModel
from dkn.experiments.fine_tuning import DKN_ALONE, Exam, Plan, tune_sets
from dkn.experiments.learning_rates import RateGrid
from dkn.experiments.tuning_questions import Question, TuningFactsSettings, choose_questions
from dkn.neurons.sets import NeuronSet, union
from dkn.neurons.tuning import TuningSettings
from dkn.storage.schemas import CHANGES, FINE_TUNING
from dkn.study.names import ALL, DKN, KN, NEW
from dkn.study.protocol_sections import Audited

QUESTIONS_AT_ONCE = 64


@dataclass(frozen=True)
class Taught:
    """What fine-tuning gave in one state.

    Attributes:
        records: the answers, with the columns of ``schemas.FINE_TUNING``; empty where there are too few new facts.
        changes: the neurons' changes where all parameters were trained, with the columns of ``schemas.CHANGES``.
        new_facts: the ids of the new facts.
    """

    records: pd.DataFrame
    changes: pd.DataFrame
    new_facts: list[str]


class Teacher:
    """Trains neuron sets, and remembers their learning rates and what was trained before.

    Args:
        model: the model.
        facts: all facts of the study, indexed by fact_id.
        study: the study's settings.
    """

    def __init__(self, model: LanguageModel, facts: pd.DataFrame, study: Audited):
        self.model, self.facts, self.study = model, facts, study
        self.rates: dict[Any, float] = {}  # by the set that is trained, and how
        self._kept: dict[Any, tuple[pd.DataFrame, pd.DataFrame]] = {}

    def taught(
        self,
        names: tuple[str, ...],
        members: Mapping[str, NeuronSet],
        dkns: Mapping[str, NeuronSet],
        choice: Callable[..., Any],
        state: State,
    ) -> Taught:
        """Train neuron sets on the new facts of a state.

        Args:
            names: the neuron sets.
            members: the knowledge neurons of each fact.
            dkns: the degenerate knowledge neurons of each degenerate fact.
            choice: returns a choice as a state has it, see ``steps.Steps.choice``.
            state: the state.
        """
        of = self.study.experiments.fine_tuning
        wanted = TuningFactsSettings(of.new_facts, of.old_facts, of.development, self.study.seed)
        questions = choose_questions(self.facts, dkns, wanted)
        new = [question.fact_id for question in questions if question.split == NEW]
        if len(new) < of.minimum:
            return Taught(pd.DataFrame(columns=FINE_TUNING.names), pd.DataFrame(columns=CHANGES.names), new)
        sets = union(dkns[name] for name in new), union(members[name] for name in new)
        settings = choice("tuning", TuningSettings(of.epochs, of.ask_every, of.batch, self.study.seed), state)
        plan = choice("plan", Plan(RateGrid(of.learning_rates, of.extensions), 1, 1), state)
        exam = Exam(self.model, questions, QUESTIONS_AT_ONCE)
        trained = {name: self._trained(exam, name, questions, sets, settings, plan) for name in names}
        records = pd.concat([records for records, _ in trained.values()], ignore_index=True)
        return Taught(records, trained[ALL][1], new)

    def _trained(
        self,
        exam: Exam,
        name: str,
        questions: list[Question],
        sets: tuple[NeuronSet, NeuronSet],
        settings: TuningSettings,
        plan: Plan,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the answers and the changes of one neuron set, as ``fine_tuning.tune_sets`` gives them.

        Where a set trains the degenerate knowledge neurons in place of its own, their training is taken.
        """
        trained = DKN if plan.tuned_sets == DKN_ALONE and name != ALL else name
        kind = (settings.steps,) if trained == ALL else (settings.trained, settings.steps)
        neurons = {ALL: (), KN: sets[1].key()}.get(trained, sets[0].key())  # random neurons are drawn like the DKNs
        key = trained, kind, tuple(question.key for question in questions), neurons
        if key not in self._kept:
            rate = self.rates.get((trained, kind))
            grid = plan.grid if rate is None else RateGrid([rate], 0)
            draws = self.study.audit.draws
            answered, changes, reports = tune_sets(exam, (trained,), Plan(grid, draws, draws), *sets, settings)
            self.rates.setdefault((trained, kind), reports[0]["learning_rate"])
            self._kept[key] = answered, changes
        answered, changes = self._kept[key]
        return answered.assign(neuron_set=name), changes.assign(neuron_set=name)
