"""Suppression and enhancement: do a fact's degenerate knowledge neurons carry perturbed queries? (docs/method.md)

A query is a fact's prompt, or a perturbation of it in which one word is replaced, added or deleted. On every query the
experiments suppress or enhance several neuron sets: the fact's degenerate knowledge neurons (DKN), all its knowledge
neurons (KNs), as many random KNs as the DKN has, random neurons with the layer counts of the DKN, and none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.facts.perturbed_prompts import perturbed_prompts, vocabulary
from dkn.neurons.interventions import ENHANCE, SUPPRESS, answer_scores
from dkn.neurons.sets import NO_NEURONS, NeuronSet, random_like
from dkn.randomness import generator
from dkn.study.names import ORIGINAL

FACTORS = {"suppression": SUPPRESS, "enhancement": ENHANCE}
SEPARATOR = "\x1f"  # between a fact's id and its query's name


@dataclass(frozen=True)
class PerturbationSettings:
    """The settings of a suppression or enhancement experiment.

    Attributes:
        setting: ``suppression`` or ``enhancement``.
        site: ``values`` or ``weights``, which is what the intervention multiplies.
        random_sets: the number of draws of each random set, per fact.
        seed: the seed of the study.
    Raises:
        UserError: the setting is neither of the two.
    """

    setting: str
    site: str
    random_sets: int
    seed: int

    def __post_init__(self) -> None:
        if self.setting not in FACTORS:
            raise UserError(f"unknown setting {self.setting!r}; allowed: {', '.join(FACTORS)}")


@dataclass(frozen=True)
class NamedSet:
    """A neuron set of one fact.

    Attributes:
        name: ``none``, ``dkn``, ``kn``, ``kn-matched`` (as many random knowledge neurons as the DKN has) or ``random``.
        repeat: the number of the draw; zero for sets that are not random.
        neurons: the neurons themselves.
    """

    name: str
    repeat: int
    neurons: NeuronSet


def named_sets(
    fact_id: str, dkn: NeuronSet, kn: NeuronSet, n_neurons: int, settings: PerturbationSettings
) -> list[NamedSet]:
    """Return a fact's neuron sets, the empty set ``none`` first.

    They are the same for every query and in every experiment of a seed.

    Args:
        fact_id: the fact, which keys the random draws together with the seed.
        dkn, kn: its degenerate knowledge neurons and its knowledge neurons.
        n_neurons: the number of neurons in a layer of the model.
        settings: the number of draws, and the seed.
    """
    repeats = range(settings.random_sets)

    def draw(purpose: str, repeat: int) -> np.random.Generator:
        return generator(settings.seed, f"perturbation/{purpose}/{repeat}", fact_id)

    matched = [kn.take(draw("kn-matched", repeat).choice(len(kn), len(dkn), replace=False)) for repeat in repeats]
    random = [random_like(dkn, n_neurons, draw("random", repeat)) for repeat in repeats]
    return [
        NamedSet("none", 0, NO_NEURONS),
        NamedSet("dkn", 0, dkn),
        NamedSet("kn", 0, kn),
        *(NamedSet("kn-matched", repeat, neurons) for repeat, neurons in enumerate(matched)),
        *(NamedSet("random", repeat, neurons) for repeat, neurons in enumerate(random)),
    ]


def query_id(fact_id: str, query: str) -> str:
    """Return the id under which a fact's query is encoded, as if it were a fact of its own."""
    return f"{fact_id}{SEPARATOR}{query}"


def perturbation_records(
    adapter: Adapter, queries: Sequence[EncodedFact], sets: dict[str, list[NamedSet]], settings: PerturbationSettings
) -> pd.DataFrame:
    """Return the records of a batch of queries whose answers have the same number of tokens.

    Args:
        adapter: the model.
        queries: prompts in tokens, with the ids that ``query_id`` gives them.
        sets: each fact's neuron sets, as ``named_sets`` returns them.
        settings: the intervention.
    Returns:
        The columns of ``schemas.PERTURBATION`` except subject, relation, prompt and components, which the tables of
        the facts hold. The log-probabilities are natural logarithms of Prob.
    """
    asked = [query.fact_id.split(SEPARATOR) for query in queries]
    variants = [[named.neurons for named in sets[fact_id]] for fact_id, _ in asked]
    scores_of_queries = answer_scores(adapter, queries, variants, FACTORS[settings.setting], settings.site)
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
                    "log_prob_before": total[0],
                    "log_prob_after": after,
                    "greedy_before": scores.greedy[0],
                    "greedy_after": greedy,
                }
            )
    return pd.DataFrame(rows)


def all_queries(frame: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the original and the perturbed queries of facts.

    Args:
        frame: all facts of the study; the words that perturbations use are drawn from all their wordings.
        chosen: the rows of the facts whose queries are returned.
        seed: the seed of the study.
    Returns:
        The columns fact_id, query (its name) and prompt.
    """
    wordings = [
        (text, row.subject)
        for row in frame.itertuples(index=False)
        for text in (row.prompt, row.complex, *row.paraphrases)
    ]
    words = vocabulary(wordings, [*frame["subject"], *(answer for answers in frame["answers"] for answer in answers)])
    rows: list[dict[str, str]] = []
    for row in chosen.itertuples(index=False):
        prompts = {ORIGINAL: row.prompt, **perturbed_prompts(row.fact_id, row.prompt, row.subject, words, seed)}
        rows.extend({"fact_id": row.fact_id, "query": query, "prompt": text} for query, text in prompts.items())
    return pd.DataFrame(rows, columns=["fact_id", "query", "prompt"])
