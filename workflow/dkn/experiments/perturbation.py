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
from dkn.decoder.encoded_facts import EncodedFact, batches, encode_fitting
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from dkn.facts.perturbed_prompts import PUT_IN, Question, perturbed_prompts, vocabulary
from dkn.neurons.asking import Asking
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import ENHANCE, SUPPRESS, answer_scores
from dkn.neurons.other_facts import sets_of_other_facts
from dkn.neurons.sets import NO_NEURONS, NeuronSet, common_neurons, dkn_sets, random_like
from dkn.progress import progress
from dkn.randomness import generator
from dkn.storage.schemas import PERTURBATION
from dkn.study.names import (
    ANY,
    DKN,
    KN,
    KN_MATCHED,
    NONE,
    ORIGINAL,
    OTHER_FACT,
    OTHER_RELATION,
    PRESERVING,
    QUERIES,
    RANDOM,
)

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


@dataclass(frozen=True)
class Asked:
    """The records of a suppression or enhancement experiment, and what was asked.

    Attributes:
        records: the columns of ``schemas.PERTURBATION``.
        queries: the queries, as ``perturbation.all_queries`` returns them.
        left_out: a message about each query that the model cannot be asked.
    """

    records: pd.DataFrame
    queries: pd.DataFrame
    left_out: list[str]


def perturbation_table(
    model: LanguageModel,
    studied: pd.DataFrame,
    members: dict[str, NeuronSet],
    tested: pd.DataFrame,
    settings: PerturbationSettings,
    asking: Asking,
) -> Asked:
    """Intervene on the neuron sets of every fact with a DKN, on its original and its perturbed queries.

    Args:
        model: the model.
        studied: all facts, indexed by fact_id.
        members: each fact's knowledge neurons.
        tested: NTC's tested components, with the columns of ``schemas.COMPONENTS``.
        settings: the intervention.
        asking: how queries are put to the model.
    """
    dkns = dkn_sets(tested, members)
    sets = named_sets(dkns, members, studied, model.adapter.n_neurons, settings)
    asked = all_queries(studied, studied.loc[list(dkns)], settings)
    answers = studied["answer"]
    encoded, left_out = encode_fitting(
        model,
        ((query_id(row.fact_id, row.query), row.prompt, answers[row.fact_id]) for row in asked.itertuples(index=False)),
        asking.encoding,
    )
    grouped = list(batches(encoded, asking.batch * len(QUERIES)))
    tables = [
        perturbation_records(model.adapter, group, sets, settings, edits=asking.edits)
        for group in progress(grouped, f"{settings.setting} of {settings.site}", unit="batch")
    ]
    records = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["fact_id", "query"])
    counts = tested[tested["kept"]].groupby("fact_id").size().rename("components")
    records = records.merge(asked, on=["fact_id", "query"]).join(studied[["subject", "relation"]], on="fact_id")
    records = records.join(counts, on="fact_id").reindex(columns=PERTURBATION.names)
    return Asked(records.sort_values(["fact_id", "query", "neuron_set", "repeat"], ignore_index=True), asked, left_out)
