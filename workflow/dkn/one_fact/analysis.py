"""The analysis of one fact in memory, by the functions that the stages of a study run.

Every step gives the rows that the stage of the study stores for the fact, whatever other facts the study has; the test
of this module compares them. A study has more: other groupings, perturbed queries, the neurons of other facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dkn.attribution.integrated_gradients import (
    Attribution,
    AttributionSettings,
    attribute,
    completeness_rows,
    score_rows,
)
from dkn.attribution.selection import knowledge_neurons
from dkn.decoder.encoded_facts import SEPARATOR, EncodingSettings, encode_all, label
from dkn.decoder.known_facts import known_facts
from dkn.decoder.loading import LanguageModel
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_table
from dkn.experiments.perturbation import NamedSet, PerturbationSettings, named_sets, perturbation_records, query_id
from dkn.facts.schema import GAP, Fact
from dkn.facts.text import checked
from dkn.neurons.asking import Asking
from dkn.neurons.sets import NO_NEURONS, NeuronSet, common_neurons, dkn_sets, neuron_sets, random_like
from dkn.progress import one_bar
from dkn.randomness import generator
from dkn.storage.schemas import DISTANCES, FACTS
from dkn.structure.candidates import components_table, diagrams_table, distance_matrices
from dkn.structure.distances import DistanceSettings
from dkn.structure.functional_test import FunctionalTest, tested_components
from dkn.structure.ntc import NTCSettings, ntc
from dkn.structure.persistence_diagrams import persistence_diagrams
from dkn.study.config import Study
from dkn.study.names import KN, NONE, NTC, ORIGINAL, PRESERVING, RANDOM_KN
from dkn.study.protocol import applied

ASKED = "asked"  # the id of a fact that has none, and the name of its source
REST = "kn-rest"  # the knowledge neurons that are in no base degenerate component
GIVEN = "given"  # neurons that the caller names


@dataclass(frozen=True)
class Model:
    """A loaded model with what is said of it.

    Attributes:
        name: what it is called.
        language_model: the model and its tokenizer.
        record: the provenance of its prepared folder.
        checksum: the SHA-256 of that record.
        parameters: its number of parameters.
        dtype: the type of its weights.
    """

    name: str
    language_model: LanguageModel
    record: Mapping[str, Any]
    checksum: str
    parameters: int
    dtype: str


def _text(text: str, what: str) -> str:
    """Return a text in the one form that facts have; raise UserError where it is none."""
    try:
        return checked(text)
    except ValueError as error:
        raise UserError(f"{what} {text!r}: {error}") from None


def _fact(prompt: str, answers: Sequence[str], fact_id: str) -> Fact:
    """Return a fact with one wording.

    Raises:
        UserError: a text is empty or holds what no text may hold, or there is no answer.
    """
    prompt = _text(prompt, "the prompt")
    accepted = tuple(dict.fromkeys(_text(answer, "the answer") for answer in answers))
    if not accepted:
        raise UserError("a fact needs an answer; give one or more after the prompt")
    return Fact(
        fact_id=fact_id,
        subject=prompt,
        relation=ASKED,
        date=None,
        answers=accepted,
        answer_ids=("",) * len(accepted),
        query=f"{prompt} {GAP}.",
        prompt=prompt,
        paraphrases=(),
        complex=prompt,
        split="test",
        source=ASKED,
    )


class OneFact:
    """One fact and one model. Every step is computed when it is first asked for, and kept.

    Args:
        model: the model.
        prompt: the text that the answer follows, such as ``The capital of France is``.
        answers: the accepted answers; as in a study, the first one that the model gives stands for the fact.
        study: the settings, of which the method's are used.
        fact_id: the fact's id, which keys the random draws: the id of a study's fact gives that study's draws.
    Raises:
        UserError: a text is empty or no text, or there is no answer.
    """

    def __init__(self, model: Model, prompt: str, answers: Sequence[str], study: Study, fact_id: str = ASKED):
        self.model, self.study = model, study
        self.fact_id = _text(fact_id, "the id")
        self.facts = pd.DataFrame([asdict(_fact(prompt, answers, self.fact_id))], columns=FACTS.names)
        self._lm, self._adapter = model.language_model, model.language_model.adapter

    def _choice(self, name: str, stated: Any) -> Any:
        """Return a choice of the method with the study's switches applied, as the stages apply them."""
        return applied(name, stated, self.study.released, self._adapter.gated)

    @cached_property
    def _asking(self) -> Asking:
        return Asking.with_switches(self.study.compute.batch, self.study.released)

    # --- stages known, attribution, knowledge-neurons ---

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The fact with what the model knows of it, indexed by its id; columns of ``schemas.FACTS`` and ``KNOWN``.

        Raises:
            UserError: the model cannot be asked: the answer does not follow the prompt in tokens of its own, both
                together are too long for the model, or a probability is not finite.
        """
        try:
            with one_bar():
                known = known_facts(self._lm, self.facts, 1, None, self.study.known.wording)
        except UserError as error:
            raise UserError(self._without_label(str(error))) from None
        return self.facts.merge(known, on="fact_id").set_index("fact_id", drop=False)

    def _without_label(self, message: str) -> str:
        """Return a message about the fact without its id, which says nothing where there is one fact."""
        for number, _ in enumerate(self.facts["answers"].iloc[0]):
            message = message.removeprefix(f"{label(f'{self.fact_id}{SEPARATOR}{number}')}: ")
        return message

    @property
    def fact(self) -> pd.Series:
        """The row of ``frame``."""
        return self.frame.iloc[0]

    @property
    def known(self) -> bool:
        """Whether the model knows the fact."""
        return bool(self.fact["known"])

    @property
    def prob(self) -> float:
        """Prob, the probability of the answer."""
        return float(self.fact["prob"])

    @cached_property
    def _attribution(self) -> Attribution:
        of = self.study.attribution
        stated = AttributionSettings(of.baseline, of.quadrature, of.nodes, of.tolerance, of.max_nodes)
        encoding = self._choice("attributed answer", EncodingSettings())
        encoded = encode_all(self._lm, self.frame, encoding)
        settings, budget = self._choice("attribution", stated), RowBudget.for_model(self._adapter)
        return attribute(self._adapter, encoded, self._lm.mask_token, settings, budget)[0]

    @property
    def scores(self) -> pd.DataFrame:
        """The attribution scores above the floor; columns of ``schemas.SCORES``."""
        return score_rows(self._attribution, self.study.attribution.floor)

    @property
    def completeness(self) -> pd.DataFrame:
        """How far the attribution is from completeness; columns of ``schemas.COMPLETENESS``."""
        return completeness_rows(self._attribution, self.study.attribution.tolerance)

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """The knowledge neurons (KNs); columns of ``schemas.KNOWLEDGE_NEURONS``."""
        of = self.study.knowledge_neurons
        return knowledge_neurons(self.scores, of.fraction, of.cap)[0]

    @property
    def members(self) -> dict[str, NeuronSet]:
        """The KNs as a set, by the fact's id; empty where there is none."""
        return neuron_sets(self.neurons)

    # --- stages distances, candidates-ntc, components ---

    @cached_property
    def distances(self) -> pd.DataFrame:
        """The finite distances between KNs; columns of ``schemas.DISTANCES``."""
        of = self.study.distances
        settings = self._choice("distances", DistanceSettings(of.max_span, of.fold_norm))
        for members in self.members.values():
            matrix = settings.matrix(self._adapter, members)
            first, second = np.nonzero(np.triu(np.isfinite(matrix), 1))
            pairs = {"first": first, "second": second, "distance": matrix[first, second]}
            return pd.DataFrame({"fact_id": self.fact_id, **pairs})
        return pd.DataFrame(columns=DISTANCES.names)

    @property
    def clustering(self) -> NTCSettings:
        """The settings of NTC."""
        of = self.study.clustering
        relative = hasattr(of.tau1, "quantile")
        tau1 = float(getattr(of.tau1, "quantile", of.tau1))  # type: ignore[arg-type]
        return self._choice("clustering", NTCSettings(of.persistence, tau1, of.quantile, of.min_size, relative))

    @cached_property
    def _clustered(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        matrices = dict(distance_matrices(self.neurons, self.distances))
        settings = self.clustering
        found = {name: ntc(matrix, settings) for name, matrix in matrices.items()}
        diagrams = {name: persistence_diagrams(matrix, 1, settings.quantile) for name, matrix in matrices.items()}
        return components_table(found), diagrams_table(diagrams)

    @property
    def diagrams(self) -> pd.DataFrame:
        """The persistence diagrams; columns of ``schemas.DIAGRAMS``."""
        return self._clustered[1]

    @property
    def functional_test(self) -> FunctionalTest:
        """The functional test."""
        of = self.study.functional_test
        return self._choice("functional test", FunctionalTest(of.test, of.tau2))

    @cached_property
    def components(self) -> pd.DataFrame:
        """The tested components; columns of ``schemas.COMPONENTS``. The kept ones are base degenerate components."""
        candidates = self._clustered[0].assign(file=0)
        with one_bar():
            tested = tested_components(
                self._lm, self.frame, self.members, candidates, self.functional_test, self._asking
            )
        return tested.drop(columns="file")

    @property
    def dkn(self) -> NeuronSet:
        """The degenerate knowledge neurons (DKNs): the union of the base degenerate components."""
        return dkn_sets(self.components, self.members).get(self.fact_id, NO_NEURONS)

    @property
    def rest(self) -> NeuronSet:
        """The KNs that are no DKNs."""
        kn, dkn = self.members.get(self.fact_id, NO_NEURONS), self.dkn
        degenerate = set(zip(dkn.layers.tolist(), dkn.neurons.tolist(), strict=True))
        pairs = zip(kn.layers.tolist(), kn.neurons.tolist(), strict=True)
        return kn.take([place for place, pair in enumerate(pairs) if pair not in degenerate])

    # --- stages experiment-degeneracy and experiment-perturbation, as far as they take no other fact ---

    @cached_property
    def degeneracy(self) -> pd.DataFrame:
        """What suppressing subsets of the components costs, and random groups; columns of ``schemas.DEGENERACY``."""
        of = self.study.experiments.degeneracy
        settings = DegeneracySettings(of.max_subsets, of.partitions, self.study.seed)
        with one_bar():
            records = degeneracy_table(
                self._lm, self.frame, self.members, {NTC: self.components}, settings, self._asking
            )
        return records.drop(columns="experiment")

    def _sets(self, settings: PerturbationSettings) -> list[NamedSet]:
        """Return the neuron sets that ``suppression`` compares, the empty one first."""
        if not self.members:
            return [NamedSet(NONE, 0, NO_NEURONS, 0)]
        kn, dkn, n_neurons = self.members[self.fact_id], self.dkn, self._adapter.n_neurons
        dkns = {self.fact_id: dkn} if len(dkn) else {}
        sets = named_sets(dkns, self.members, self.frame, n_neurons, settings).get(self.fact_id, [])
        sets = sets or [NamedSet(NONE, 0, NO_NEURONS, 0)]
        if KN not in {named.name for named in sets}:
            sets.append(NamedSet(KN, 0, kn, len(dkn)))
        rest = self.rest
        if 0 < len(rest) < len(kn):
            sets.append(NamedSet(REST, 0, rest, 0))
        for repeat in range(settings.random_sets):
            drawn = random_like(kn, n_neurons, generator(settings.seed, f"one fact/{RANDOM_KN}/{repeat}", self.fact_id))
            sets.append(NamedSet(RANDOM_KN, repeat, drawn, common_neurons(dkn, drawn)))
        return sets

    def suppress(self, sets: Sequence[NamedSet], settings: PerturbationSettings) -> pd.DataFrame:
        """Suppress neuron sets, and return the records of the experiment on the fact's own prompt.

        Args:
            sets: the sets, the empty one first.
            settings: the intervention.
        """
        asked = self.frame.assign(fact_id=query_id(self.fact_id, ORIGINAL))
        encoded = self._asking.encoded(self._lm, asked)
        return perturbation_records(
            self._adapter, encoded, {self.fact_id: list(sets)}, settings, edits=self._asking.edits
        )

    @property
    def _suppression_settings(self) -> PerturbationSettings:
        draws = self.study.experiments.suppression.random_sets
        stated = PerturbationSettings("suppression", "values", draws, PRESERVING, self.study.seed)
        return self._choice("perturbation", stated)

    @cached_property
    def suppression(self) -> pd.DataFrame:
        """What suppressing the DKNs (D), all KNs (N), a part of N and random neurons costs.

        It has a row per neuron set and draw; the columns are fact_id, query, neuron_set, repeat, neurons, shared,
        log_prob_before, log_prob_after, greedy_before and greedy_after, as in ``schemas.PERTURBATION``.
        """
        settings = self._suppression_settings
        return self.suppress(self._sets(settings), settings)

    def suppression_of(self, neurons: NeuronSet) -> pd.Series:
        """Return the record of suppressing any neurons of the model; its columns are those of ``suppression``.

        Raises:
            UserError: the model has no such neuron, or one is there twice.
        """
        n_layers, n_neurons = self._adapter.n_layers, self._adapter.n_neurons
        for layer, neuron in zip(neurons.layers.tolist(), neurons.neurons.tolist(), strict=True):
            if not (0 <= layer < n_layers and 0 <= neuron < n_neurons):
                raise UserError(
                    f"{self.model.name} has no neuron {neuron} of layer {layer}; layers go from 0 to {n_layers - 1}, "
                    f"neurons from 0 to {n_neurons - 1}"
                )
        if len(set(zip(neurons.layers.tolist(), neurons.neurons.tolist(), strict=True))) < len(neurons):
            raise UserError("a neuron is named twice")
        sets = [NamedSet(NONE, 0, NO_NEURONS, 0), NamedSet(GIVEN, 0, neurons, common_neurons(self.dkn, neurons))]
        return self.suppress(sets, self._suppression_settings).iloc[1]
