"""The analysis of a sample of facts under any state of the switches, in which no step is done twice.

A *step* is one stage of the workflow, done in memory by the functions that the stage itself runs. What a switch cannot
reach is the same in two states and is computed once: a step's results are kept by those switches that change one of its
choices (``dkn.study.protocol``), or one of a step that it takes something from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from dkn.attribution.integrated_gradients import AttributionSettings, attribute, score_rows
from dkn.attribution.selection import knowledge_neurons
from dkn.audit.states import State
from dkn.audit.tuning import Taught, Teacher
from dkn.decoder.encoded_facts import EncodingSettings, batches, encode_all
from dkn.decoder.loading import LanguageModel
from dkn.decoder.row_budget import RowBudget
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_table
from dkn.experiments.fact_checking import ATTRIBUTION, Attributed, checking_table
from dkn.experiments.fact_checking_plm import Judge, judged_table
from dkn.experiments.overlap import Changes, OverlapSettings, overlap_records
from dkn.experiments.perturbation import PerturbationSettings, perturbation_table
from dkn.experiments.statements import Checking, StatementSettings
from dkn.facts.sampling import sample_by_subject
from dkn.facts.stored import AskedFacts
from dkn.neurons.asking import Asking
from dkn.neurons.edits import EditSettings
from dkn.neurons.sets import NeuronSet, dkn_sets, neuron_sets
from dkn.randomness import generator
from dkn.storage.schemas import OVERLAP, SCORES
from dkn.structure.amig import PairSettings, amig_pairs
from dkn.structure.candidates import candidates_table, components_table
from dkn.structure.controls import control_groups
from dkn.structure.distances import DistanceSettings
from dkn.structure.functional_test import FunctionalTest, tested_components
from dkn.structure.ntc import NTCSettings, ntc
from dkn.structure.other_clusterings import GroupingSettings, grouped
from dkn.study.names import ALL, DKN, KN, NTC, RANDOM, SITES, TESTED_CONTROLS
from dkn.study.protocol import CHOICES, SWITCHES, applied, reaches
from dkn.study.protocol_sections import Audited
from dkn.study.registry import GROUPINGS

Settings = TypeVar("Settings")
COMPARED_CLUSTERINGS = tuple(name for name in GROUPINGS if name not in (NTC, "amig"))  # those that claims are about
KEPT_ATTRIBUTIONS = 3  # settings whose attributions of statements are kept: those of both ends, and of the path
PERTURBATIONS = tuple(f"{setting}-{site}" for setting in ("suppression", "enhancement") for site in SITES)


@dataclass(frozen=True)
class Step:
    """What a step depends on.

    Attributes:
        stages: the stages whose choices it takes.
        inputs: the steps whose results it takes.
    """

    stages: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


STEPS: dict[str, Step] = {
    "scores": Step(("attribution",)),
    "neurons": Step((), ("scores",)),
    "matrices": Step(("distances",), ("neurons",)),
    "candidates": Step(("candidates-ntc",), ("matrices",)),
    "clusterings": Step(("candidates-groupings",), ("matrices",)),
    "pairs": Step(("candidates-amig",), ("neurons",)),
    "components": Step(("components",), ("neurons", "candidates")),
    "rival_components": Step(("components",), ("neurons", "clusterings", "pairs")),
    "degeneracy": Step(("experiment-degeneracy",), ("neurons", "components")),
    "rival_degeneracy": Step(("experiment-degeneracy",), ("neurons", "rival_components")),
    **{name: Step((f"experiment-{name}",), ("neurons", "components")) for name in PERTURBATIONS},
    "checking": Step(("experiment-fact-checking",), ("neurons", "components")),
    "judged": Step(("experiment-fact-checking-plm",), ("neurons",)),
    "tuning": Step(("experiment-fine-tuning",), ("neurons", "components")),
    "overlap": Step((), ("tuning",)),
}


def _reach(step: str) -> frozenset[str]:
    """Return the switches that can change a step's results."""
    own = {switch for switch in SWITCHES for stage in STEPS[step].stages if reaches(switch, stage)}
    return frozenset(own).union(*(_reach(name) for name in STEPS[step].inputs))


REACH = {step: _reach(step) for step in STEPS}
assert all(stage in CHOICES for step in STEPS.values() for stage in step.stages)


class Steps:
    """The steps of an audit of one model.

    Args:
        model: the model.
        facts: all facts of the study with what the model knows, as ``facts.stored.study_facts`` returns them.
        study: the study's settings.
        batch: the number of facts computed at once.
    """

    def __init__(self, model: LanguageModel, facts: pd.DataFrame, study: Audited, batch: int):
        self.model, self.facts, self.study, self.batch = model, facts, study, batch
        self.gated = model.adapter.gated
        self.sample, self.rival_sample = (
            sample_by_subject(facts, limit, study.seed, "audit").index
            for limit in (study.audit.facts, study.audit.rival_facts)
        )
        self._kept: dict[tuple[str, State], Any] = {}
        self._judgements: dict[Any, pd.DataFrame] = {}
        self._statements: dict[AttributionSettings, Attributed] = {}
        self._teacher = Teacher(model, facts, study)
        self.computed: dict[str, int] = dict.fromkeys(STEPS, 0)  # how often each step was done

    def get(self, step: str, state: State) -> Any:
        """Return the results of a step in a state; they must not be changed."""
        key = step, state & REACH[step]
        if key not in self._kept:
            run: Callable[[State], Any] = (
                partial(self._perturbation, step) if step in PERTURBATIONS else getattr(self, f"_{step}")
            )
            self._kept[key] = run(state)
            self.computed[step] += 1
        return self._kept[key]

    def choice(self, name: str, settings: Settings, state: State) -> Settings:
        """Return a choice as a state has it."""
        return applied(name, settings, state, self.gated)

    def asked(self, state: State) -> AskedFacts:
        """Return which facts are attributed, and in which wording facts are asked."""
        return self.choice("asked facts", AskedFacts(self.study.attribution.facts), state)

    def members(self, state: State) -> dict[str, NeuronSet]:
        """Return the knowledge neurons of each fact."""
        return neuron_sets(self.get("neurons", state))

    def dkns(self, state: State, fewest: int = 1) -> dict[str, NeuronSet]:
        """Return the degenerate knowledge neurons of each fact that has so many BDCs."""
        return dkn_sets(self.get("components", state)[NTC], self.members(state), fewest)

    # --- attribution and structure ---

    def _attribution(self, state: State) -> AttributionSettings:
        of = self.study.attribution
        stated = AttributionSettings(of.baseline, of.quadrature, of.nodes, of.tolerance, of.max_nodes)
        return self.choice("attribution", stated, state)

    def _scores(self, state: State) -> pd.DataFrame:
        asked = self.asked(state)
        chosen = asked.chosen(asked.worded(self.facts.loc[self.sample]))
        encoding = self.choice("attributed answer", EncodingSettings(), state)
        budget, settings = RowBudget.for_model(self.model.adapter), self._attribution(state)
        tables = [
            score_rows(result, self.study.attribution.floor)
            for group in batches(encode_all(self.model, chosen, encoding), self.batch)
            for result in attribute(self.model.adapter, group, self.model.mask_token, settings, budget)
        ]
        return pd.concat(tables or [pd.DataFrame(columns=SCORES.names)], ignore_index=True)

    def _neurons(self, state: State) -> pd.DataFrame:
        of = self.study.knowledge_neurons
        return knowledge_neurons(self.get("scores", state), of.fraction, of.cap)[0]

    def _matrices(self, state: State) -> dict[str, np.ndarray]:
        of = self.study.distances
        settings = self.choice("distances", DistanceSettings(of.max_span, of.fold_norm), state)
        members = self.members(state).items()
        return {fact_id: settings.matrix(self.model.adapter, of_fact) for fact_id, of_fact in members}

    def _candidates(self, state: State) -> dict[str, pd.DataFrame]:
        """Return the candidates of NTC and of its tested controls."""
        of = self.study.clustering
        relative = hasattr(of.tau1, "quantile")
        tau1 = float(getattr(of.tau1, "quantile", of.tau1))  # type: ignore[arg-type]
        stated = NTCSettings(of.persistence, tau1, of.quantile, of.min_size, relative)
        settings = self.choice("clustering", stated, state)
        found = {fact_id: ntc(matrix, settings) for fact_id, matrix in self.get("matrices", state).items()}
        groups = {fact_id: [part.members for part in parts] for fact_id, parts in found.items() if parts}
        layers = {fact_id: members.layers for fact_id, members in self.members(state).items()}
        drawn: dict[str, dict[str, list[list[np.ndarray]]]] = {name: {} for name in TESTED_CONTROLS}
        for name, of_control in drawn.items():
            for fact_id, parts in groups.items():
                draw = generator(self.study.seed, name, fact_id)
                repeats = range(self.study.audit.draws)
                of_control[fact_id] = [control_groups(name, parts, layers[fact_id], draw) for _ in repeats]
        return {NTC: components_table(found), **{name: candidates_table(of) for name, of in drawn.items()}}

    def _clusterings(self, state: State) -> dict[str, pd.DataFrame]:
        of = self.study.groupings
        stated = GroupingSettings(
            self.study.clustering.min_size,
            of.dbscan.min_samples,
            of.hdbscan.min_samples,
            of.max_groups,
            of.kmeans.variance,
            of.kmeans.restarts,
        )
        settings = self.choice("groupings", stated, state)
        matrices = {name: of for name, of in self.get("matrices", state).items() if name in self.rival_sample}
        return {
            name: candidates_table(
                {
                    fact_id: [grouped(name, matrix, settings, generator(self.study.seed, name, fact_id))]
                    for fact_id, matrix in matrices.items()
                }
            )
            for name in COMPARED_CLUSTERINGS
        }

    def _asking(self, state: State, edits: str = "edits") -> Asking:
        encoding = self.choice("evaluated answer", EncodingSettings(), state)
        return Asking(self.batch, encoding, self.choice(edits, EditSettings(), state))

    def _pairs(self, state: State) -> pd.DataFrame:
        table, asking = self.get("neurons", state), self._asking(state)
        settings = self.choice("pairs", PairSettings(**self.study.groupings.amig.model_dump()), state)
        everyone = self.members(state)
        members = {name: one for name, one in everyone.items() if len(one) > 1 and name in self.rival_sample}
        scores = {str(name): of["score"].to_numpy(dtype=np.float64) for name, of in table.groupby("fact_id")}
        encoded = asking.encoded(self.model, self._worded(state).loc[list(members)])
        pairs: dict[str, list[np.ndarray]] = {}
        for group in batches(encoded, self.batch):
            arguments = settings.neurons, settings.matters, settings.pairing, asking.edits
            pairs |= amig_pairs(self.model.adapter, group, members, scores, *arguments)
        return candidates_table({fact_id: [pairs[fact_id]] for fact_id in members})

    def _worded(self, state: State) -> pd.DataFrame:
        """Return all facts in the wording in which they are asked."""
        return self.asked(state).worded(self.facts)

    def _tested(self, candidates: Mapping[str, pd.DataFrame], state: State) -> dict[str, pd.DataFrame]:
        of = self.study.functional_test
        test = self.choice("functional test", FunctionalTest(of.test, of.tau2), state)
        together = pd.concat([table.assign(file=name) for name, table in candidates.items()])
        tested = tested_components(
            self.model, self._worded(state), self.members(state), together, test, self._asking(state)
        )
        return {name: tested[tested["file"] == name].drop(columns="file") for name in candidates}

    def _components(self, state: State) -> dict[str, pd.DataFrame]:
        return self._tested(self.get("candidates", state), state)

    def _rival_components(self, state: State) -> dict[str, pd.DataFrame]:
        return self._tested({**self.get("clusterings", state), "amig": self.get("pairs", state)}, state)

    # --- experiments ---

    def _suppressed_subsets(self, components: str, state: State) -> dict[str, pd.DataFrame]:
        settings = DegeneracySettings(
            self.study.experiments.degeneracy.max_subsets, self.study.audit.draws, self.study.seed
        )
        tested = self.get(components, state)
        arguments = self._worded(state), self.members(state), tested, settings, self._asking(state)
        records = degeneracy_table(self.model, *arguments, selections=("bdc",))  # what claims are about
        return {name: records[records["experiment"] == name].drop(columns="experiment") for name in tested}

    def _degeneracy(self, state: State) -> dict[str, pd.DataFrame]:
        return self._suppressed_subsets("components", state)

    def _rival_degeneracy(self, state: State) -> dict[str, pd.DataFrame]:
        return self._suppressed_subsets("rival_components", state)

    def _perturbation(self, experiment: str, state: State) -> pd.DataFrame:
        setting, site = experiment.split("-")
        stated = PerturbationSettings(
            setting, site, self.study.audit.draws, self.study.experiments.perturbation.queries, self.study.seed
        )
        settings = self.choice("perturbation", stated, state)
        asking = self._asking(state, "edits" if site == "values" else "weight edits")
        tested = self.get("components", state)[NTC]
        return perturbation_table(
            self.model, self._worded(state), self.members(state), tested, settings, asking
        ).records

    def _checking_settings(self, state: State) -> Checking:
        of = self.study.audit
        statements = self.choice("statements", StatementSettings(), state)
        return Checking(of.checked_facts, of.complex_facts, self.study.seed, statements)

    def _checking(self, state: State) -> pd.DataFrame:
        of = self.study.experiments.fact_checking
        settings = self.choice("statement attribution", self.choice("attribution", ATTRIBUTION, state), state)
        encoding = self.choice("attributed answer", EncodingSettings(), state)
        return checking_table(
            self.model,
            self.facts,
            self.members(state),
            self.dkns(state),
            self._checking_settings(state),
            of.relation_neurons,
            self.study.audit.draws,
            settings,
            encoding,
            self.batch,
            self._attributed(settings),
        ).records

    def _attributed(self, settings: AttributionSettings) -> Attributed:
        """Return the scores of statements that were attributed with these settings, of the last few ones."""
        self._statements[settings] = self._statements.pop(settings, {})
        for oldest in list(self._statements)[:-KEPT_ATTRIBUTIONS]:
            del self._statements[oldest]
        return self._statements[settings]

    def _judged(self, state: State) -> pd.DataFrame:
        settings, members = self._checking_settings(state), self.members(state)
        judge = self.choice("judge", Judge(self.study.experiments.fact_checking.shots), state)
        key = frozenset(members), settings.statements, judge  # of the neurons, only whose they are counts
        if key not in self._judgements:
            table = judged_table(self.model, self.facts, members, settings, judge, self.batch)
            self._judgements[key] = table.records
        return self._judgements[key]

    def _tuning(self, state: State) -> Taught:
        names = (DKN, KN, RANDOM, ALL)
        return self._teacher.taught(names, self.members(state), self.dkns(state, fewest=2), self.choice, state)

    def _overlap(self, state: State) -> pd.DataFrame:
        taught: Taught = self.get("tuning", state)
        if taught.changes.empty:
            return pd.DataFrame(columns=OVERLAP.names)
        trainings = [Changes.of_table(table) for _, table in taught.changes.groupby("draw")]
        new = self.facts.loc[taught.new_facts]
        settings = OverlapSettings(self.study.experiments.overlap.draws, self.study.seed)
        return overlap_records(new, self.dkns(state, fewest=2), self.members(state), trainings, settings)
