"""Suppression and enhancement: do a fact's degenerate knowledge neurons carry perturbed queries? (docs/method.md)

A query is a fact's prompt, or a perturbation of it in which one word is replaced, added or deleted. On every query the
experiments suppress or enhance several neuron sets: the fact's degenerate knowledge neurons (DKN), all its knowledge
neurons (KNs), as many random KNs as the DKN has, random neurons with the layer counts of the DKN, as many neurons of
the DKNs of other facts, and none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.facts.perturbed_prompts import PUT_IN, Question, perturbed_prompts, vocabulary
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import ENHANCE, SUPPRESS, answer_scores
from dkn.neurons.other_facts import sets_of_other_facts
from dkn.neurons.sets import NO_NEURONS, NeuronSet, common_neurons, random_like
from dkn.randomness import generator
from dkn.study.names import ANY, DKN, KN, KN_MATCHED, NONE, ORIGINAL, OTHER_FACT, OTHER_RELATION, PRESERVING, RANDOM

FACTORS = {"suppression": SUPPRESS, "enhancement": ENHANCE}
COMPARED = ("all", "dkn")
SEPARATOR = "\x1f"  # between a fact's id and its query's name


@dataclass(frozen=True)
class PerturbationSettings:
    """The settings of a suppression or enhancement experiment.

    Attributes:
        setting: ``suppression`` or ``enhancement``.
        site: ``values`` or ``weights``, which is what the intervention multiplies.
        random_sets: the number of draws of each random set, per fact.
        queries: ``preserving``, perturbed queries that leave the subject and the date whole, or ``any``.
        seed: the seed of the study.
        put_in: ``words`` or ``markers``, which is what replaced and added words are (``dkn.facts.perturbed_prompts``).
        compared: ``all`` neuron sets, or ``dkn``, the released code's: the DKN and none.
    Raises:
        UserError: the setting, the kind of queries, what is put in, or what is compared is neither of the two.
    """

    setting: str
    site: str
    random_sets: int
    queries: str
    seed: int
    put_in: str = "words"
    compared: str = "all"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("setting", self.setting, tuple(FACTORS)),
            ("kind of queries", self.queries, (PRESERVING, ANY)),
            ("put_in", self.put_in, PUT_IN),
            ("compared", self.compared, COMPARED),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")


@dataclass(frozen=True)
class NamedSet:
    """A neuron set of one fact.

    Attributes:
        name: ``none``, ``dkn``, ``kn``, ``kn-matched`` (as many random knowledge neurons as the DKN has), ``random``,
            ``dkn-other-fact`` or ``dkn-other-relation``.
        repeat: the number of the draw; zero for sets that are not random.
        neurons: the neurons themselves.
        shared: how many of them are in the fact's DKN.
    """

    name: str
    repeat: int
    neurons: NeuronSet
    shared: int


def _random_sets(
    fact_id: str, dkn: NeuronSet, kn: NeuronSet, n_neurons: int, settings: PerturbationSettings
) -> dict[str, list[NeuronSet]]:
    """Return several draws of as many KNs as a fact's DKN has, and of as many random neurons per layer."""

    def draw(purpose: str, repeat: int) -> np.random.Generator:
        return generator(settings.seed, f"perturbation/{purpose}/{repeat}", fact_id)

    repeats = range(settings.random_sets)
    return {
        KN_MATCHED: [kn.take(draw(KN_MATCHED, repeat).choice(len(kn), len(dkn), replace=False)) for repeat in repeats],
        RANDOM: [random_like(dkn, n_neurons, draw(RANDOM, repeat)) for repeat in repeats],
    }


def named_sets(
    dkns: Mapping[str, NeuronSet],
    kns: Mapping[str, NeuronSet],
    facts: pd.DataFrame,
    n_neurons: int,
    settings: PerturbationSettings,
) -> dict[str, list[NamedSet]]:
    """Return the neuron sets of every fact that has a DKN, by fact id, the empty set ``none`` first.

    They are the same for every query and in every experiment of a seed. Where only the DKN is compared, nothing is
    drawn.

    Args:
        dkns, kns: the facts' degenerate knowledge neurons and their knowledge neurons, by fact id.
        facts: the columns subject and relation, indexed by fact id.
        n_neurons: the number of neurons in a layer of the model.
        settings: the number of draws, and the seed, which keys the draws together with the fact.
    """
    everything = settings.compared == "all"
    of_others = {
        kind: sets_of_other_facts(dkns, facts, kind, settings.random_sets, settings.seed)
        for kind in (OTHER_FACT, OTHER_RELATION)
        if everything
    }
    named = {}
    for fact_id, dkn in dkns.items():
        sets = {NONE: [NO_NEURONS], DKN: [dkn]}
        if everything:
            sets |= {KN: [kns[fact_id]], **_random_sets(fact_id, dkn, kns[fact_id], n_neurons, settings)}
            sets |= {kind: drawn[fact_id] for kind, drawn in of_others.items()}
        named[fact_id] = [
            NamedSet(name, repeat, neurons, common_neurons(dkn, neurons))
            for name, draws in sets.items()
            for repeat, neurons in enumerate(draws)
        ]
    return named


def query_id(fact_id: str, query: str) -> str:
    """Return the id under which a fact's query is encoded, as if it were a fact of its own."""
    return f"{fact_id}{SEPARATOR}{query}"


def perturbation_records(
    adapter: Adapter,
    queries: Sequence[EncodedFact],
    sets: dict[str, list[NamedSet]],
    settings: PerturbationSettings,
    edits: EditSettings = AS_TEXT,
) -> pd.DataFrame:
    """Return the records of a batch of queries whose answers have the same number of tokens.

    Args:
        adapter: the model.
        queries: prompts in tokens, with the ids that ``query_id`` gives them.
        sets: each fact's neuron sets, as ``named_sets`` returns them.
        settings: the intervention.
        edits: where values are edited, and in which contexts Prob is read off.
    Returns:
        The columns of ``schemas.PERTURBATION`` except subject, relation, prompt, question and components, which the
        tables of the facts and of their queries hold. The log-probabilities are natural logarithms of Prob.
    """
    asked = [query.fact_id.split(SEPARATOR) for query in queries]
    variants = [[named.neurons for named in sets[fact_id]] for fact_id, _ in asked]
    scores_of_queries = answer_scores(adapter, queries, variants, FACTORS[settings.setting], settings.site, edits=edits)
    rows = []
    for (fact_id, query), scores in zip(asked, scores_of_queries, strict=True):
        total = scores.log_probs.sum(1)
        for named, after, greedy in zip(sets[fact_id], total, scores.greedy, strict=True):
            rows.append(
                {
                    "fact_id": fact_id,
                    "query": query,
                    "neuron_set": named.name,
                    "repeat": named.repeat,
                    "neurons": len(named.neurons),
                    "shared": named.shared,
                    "log_prob_before": total[0],
                    "log_prob_after": after,
                    "greedy_before": scores.greedy[0],
                    "greedy_after": greedy,
                }
            )
    return pd.DataFrame(rows)


def all_queries(frame: pd.DataFrame, chosen: pd.DataFrame, settings: PerturbationSettings) -> pd.DataFrame:
    """Return the original and the perturbed queries of facts.

    Args:
        frame: all facts of the study; the words that perturbations use are drawn from all their wordings.
        chosen: the rows of the facts whose queries are returned.
        settings: which perturbed queries are asked, what is put into them, and the seed of the study.
    Returns:
        The columns fact_id, query (its name), prompt and question (whether the query preserves or changes it).
    """
    wordings = [
        (text, row.subject)
        for row in frame.itertuples(index=False)
        for text in (row.prompt, row.complex, *row.paraphrases)
    ]
    words = vocabulary(wordings, [*frame["subject"], *(answer for answers in frame["answers"] for answer in answers)])
    rows: list[tuple[str, str, str, str]] = []
    for row in chosen.itertuples(index=False):
        question = Question(row.prompt, row.subject, row.date if isinstance(row.date, str) else None)
        perturbed = perturbed_prompts(row.fact_id, question, words, settings.seed, settings.queries, settings.put_in)
        rows.append((row.fact_id, ORIGINAL, row.prompt, PRESERVING))
        rows.extend((row.fact_id, query, found.text, found.question) for query, found in perturbed.items())
    return pd.DataFrame(rows, columns=["fact_id", "query", "prompt", "question"])
