"""Sharing: do a fact's base degenerate components (BDCs) take part in other facts? (docs/method.md)

Two components of a fact that do the same for it are *redundant* if they do nothing else, as copies would, and
*degenerate* if each of them also takes part in other facts. The experiment counts in how many other facts the neurons
of a BDC are knowledge neurons (KNs). It then suppresses the BDC and asks for its own fact, for facts that share neurons
with it, and for facts that share none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.facts.same_answers import folded
from dkn.facts.sampling import sample_by_subject
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.membership import Membership, membership
from dkn.neurons.sets import NO_NEURONS, NeuronSet, random_like
from dkn.randomness import generator
from dkn.study.names import (
    APART,
    BDC,
    ELSEWHERE,
    KN_MATCHED,
    OF_ANSWER,
    OF_RELATION,
    OF_SUBJECT,
    OWN,
    RANDOM,
    SHARING,
)


@dataclass(frozen=True)
class SharingSettings:
    """The settings of the experiment.

    Attributes:
        facts: the number of degenerate facts whose BDCs are examined, which the last subject may exceed; None for all.
        others: the most other facts of each class that are asked for each BDC.
        draws: the number of draws of each random set, per BDC.
        seed: the seed of the study.
    """

    facts: int | None
    others: int
    draws: int
    seed: int


@dataclass(frozen=True)
class Group:
    """A BDC, or a random set of as many neurons.

    Attributes:
        fact_id: the fact that has the BDC.
        component: the number of the BDC among the fact's components.
        neuron_set: ``bdc``, ``kn-matched`` (random KNs of the fact) or ``random`` (random neurons, as many per layer).
        repeat: the number of the draw; zero for the BDC.
        neurons: the neurons themselves.
    """

    fact_id: str
    component: int
    neuron_set: str
    repeat: int
    neurons: NeuronSet

    def named(self) -> dict[str, object]:
        """Return the columns of the records that say which group this is."""
        about = {"fact_id": self.fact_id, "component": self.component}
        return {**about, "neuron_set": self.neuron_set, "repeat": self.repeat, "neurons": len(self.neurons)}


@dataclass(frozen=True)
class Question:
    """A fact that is asked while a group is suppressed.

    Attributes:
        group: the group.
        others: the class of the asked fact, seen from the fact that has the BDC.
        shared: how many neurons of the BDC are KNs of the asked fact.
    """

    group: Group
    others: str
    shared: int


def degenerate_facts(components: pd.DataFrame, frame: pd.DataFrame, settings: SharingSettings) -> pd.DataFrame:
    """Return the BDCs of a sample, by subject, of the facts that have two or more.

    Args:
        components: NTC's tested components, with the columns of ``schemas.COMPONENTS``.
        frame: the facts, indexed by fact_id, with a column ``subject``.
        settings: the number of facts, and the seed.
    """
    kept = components[components["kept"]]
    counts = kept.groupby("fact_id").size()
    degenerate = frame.loc[sorted(counts.index[counts >= 2])]
    sampled = sample_by_subject(degenerate, settings.facts, settings.seed, "sharing")
    return kept[kept["fact_id"].isin(sampled.index)]


def groups_of(
    bdcs: pd.DataFrame, members: Mapping[str, NeuronSet], n_neurons: int, settings: SharingSettings
) -> list[list[Group]]:
    """Return for each BDC the BDC itself, followed by the draws of its random sets.

    Random KNs are drawn from all of the fact's, those of the BDC among them. Random neurons are none of the BDC's.

    Args:
        bdcs: the columns fact_id, component and places.
        members: the KNs of each fact.
        n_neurons: the number of neurons of a layer.
        settings: the number of draws, and the seed.
    """

    def drawn(fact_id: str, component: int, places: np.ndarray) -> Iterator[Group]:
        kns = members[fact_id]
        bdc = kns.take(places)
        yield Group(fact_id, component, BDC, 0, bdc)
        for repeat in range(settings.draws):
            key = f"{component}/{repeat}"
            draw = generator(settings.seed, f"sharing/{KN_MATCHED}/{key}", fact_id)
            matched = kns.take(draw.choice(len(kns), len(bdc), replace=False))
            yield Group(fact_id, component, KN_MATCHED, repeat, matched)
            draw = generator(settings.seed, f"sharing/{RANDOM}/{key}", fact_id)
            yield Group(fact_id, component, RANDOM, repeat, random_like(bdc, n_neurons, draw))

    return [list(drawn(row.fact_id, int(row.component), row.places)) for row in bdcs.itertuples(index=False)]


def facts_with_neurons(frame: pd.DataFrame, members: Mapping[str, NeuronSet]) -> pd.DataFrame:
    """Return the facts that have KNs, which alone can share them, sorted by id and with folded answers.

    Args:
        frame: the facts, indexed by fact_id, with columns fact_id, subject, relation, and answer, the study's.
        members: the KNs of each fact.
    """
    facts = frame.loc[sorted(members), ["fact_id", "subject", "relation", "answer"]]
    return facts.assign(answer=facts["answer"].map(folded))


def scopes(facts: pd.DataFrame, fact_id: str) -> np.ndarray:
    """Return what every fact is to one of them, (facts,): the first of these that holds.

    ``own``, the fact itself; ``same-subject``; ``same-answer``, which is another subject's; ``same-relation``; and
    ``other-relation``.

    Args:
        facts: as ``facts_with_neurons`` returns them.
        fact_id: the one.
    """
    one = facts.loc[fact_id]
    conditions = {
        OWN: facts["fact_id"] == fact_id,
        OF_SUBJECT: facts["subject"] == one["subject"],
        OF_ANSWER: facts["answer"] == one["answer"],
        OF_RELATION: facts["relation"] == one["relation"],
    }
    return np.select(list(conditions.values()), [np.array(name, dtype=object) for name in conditions], ELSEWHERE)


def classes(scope: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Return the class of every fact: its scope, split by sharing where the facts have nothing else in common.

    Args:
        scope: (facts,) as ``scopes`` returns it.
        shared: (facts,) how many neurons of a BDC are KNs of each fact.
    """
    split = np.isin(scope, (OF_RELATION, ELSEWHERE))
    suffix = np.where(shared > 0, f"-{SHARING}", f"-{APART}").astype(object)
    return np.where(split, scope + suffix, scope)


def having_records(groups: Sequence[Group], scope: np.ndarray, table: Membership) -> list[dict[str, object]]:
    """Return in how many other facts the neurons of a BDC, and of its random sets, are KNs: a record per scope.

    Args:
        groups: the BDC and its random sets; sets without neurons are left out.
        scope: (facts,) what every fact is to the BDC's own.
        table: the KNs of all facts.
    """
    rows = []
    for others in sorted(set(scope) - {OWN}):
        among = scope == others
        facts_per_neuron = table.facts_per_neuron(among)
        for group in groups:
            if len(group.neurons):
                having = facts_per_neuron[group.neurons.layers, group.neurons.neurons].mean()
                rows.append({**group.named(), "others": others, "facts": int(among.sum()), "having": having})
    return rows


def questions(
    groups: Sequence[Group], scope: np.ndarray, table: Membership, settings: SharingSettings
) -> Iterator[tuple[str, Question]]:
    """Yield the facts that are asked while a BDC or random neurons are suppressed: the own fact, and some per class.

    Args:
        groups: the BDC and its random sets; random KNs are not suppressed.
        scope: (facts,) what every fact is to the BDC's own.
        table: the KNs of all facts.
        settings: the number of facts per class, and the seed.
    """
    bdc = groups[0]
    shared = table.shared(bdc.neurons)
    of_fact = classes(scope, shared)
    for others in sorted(set(of_fact)):
        candidates = np.flatnonzero(of_fact == others)
        dice = generator(settings.seed, f"sharing/{others}/{bdc.component}", bdc.fact_id)
        for place in dice.choice(candidates, min(settings.others, len(candidates)), replace=False):
            for group in groups:
                if group.neuron_set != KN_MATCHED:
                    yield table.fact_ids[place], Question(group, others, int(shared[place]))


def plan(
    bdcs: pd.DataFrame,
    frame: pd.DataFrame,
    members: Mapping[str, NeuronSet],
    adapter: Adapter,
    settings: SharingSettings,
) -> tuple[list[dict[str, object]], dict[str, list[Question]]]:
    """Count in how many facts BDCs' neurons are KNs, and choose the facts that are asked.

    Args:
        bdcs: as ``degenerate_facts`` returns them.
        frame: the facts, indexed by fact_id, with columns fact_id, subject, relation, and answer, the study's.
        members: the KNs of each fact.
        adapter: the model, for its numbers of layers and neurons.
        settings: the numbers of draws and of facts per class, and the seed.
    Returns:
        The records of ``having_records`` for all BDCs; and for each fact that is asked, its questions.
    """
    facts = facts_with_neurons(frame, members)
    table = membership(members, list(facts.index), adapter.n_layers, adapter.n_neurons)
    counted: list[dict[str, object]] = []
    asked: dict[str, list[Question]] = {}
    for groups in groups_of(bdcs, members, adapter.n_neurons, settings):
        scope = scopes(facts, groups[0].fact_id)
        counted += having_records(groups, scope, table)
        for fact_id, question in questions(groups, scope, table, settings):
            asked.setdefault(fact_id, []).append(question)
    return counted, asked


def suppression_records(
    adapter: Adapter, facts: Sequence[EncodedFact], asked: Mapping[str, Sequence[Question]]
) -> list[dict[str, object]]:
    """Return the records of a batch of asked facts whose answers have the same number of tokens.

    Args:
        adapter: the model.
        facts: the asked facts.
        asked: for each of them, the groups that are suppressed.
    Returns:
        A record per question, with the columns of ``schemas.SHARING`` but subject and relation. The log-probabilities
        are natural logarithms of Prob.
    """
    variants = [[NO_NEURONS, *(question.group.neurons for question in asked[fact.fact_id])] for fact in facts]
    rows = []
    for fact, log_probs in zip(facts, answer_log_probs(adapter, facts, variants), strict=True):
        before, *after = log_probs.sum(1)
        for question, log_prob in zip(asked[fact.fact_id], after, strict=True):
            about = {"others": question.others, "asked": fact.fact_id, "shared": question.shared}
            rows.append({**question.group.named(), **about, "log_prob_before": before, "log_prob_after": log_prob})
    return rows
