"""Suppression and enhancement: do a fact's degenerate knowledge neurons carry perturbed queries? (docs/method.md)

On the original query and on perturbed ones, neuron sets are suppressed or enhanced: the fact's DKN, all its KNs, as
many KNs as the DKN has, random neurons with the DKN's layer counts, and none.
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
    """Which intervention (``suppression``, ``enhancement``; ``values``, ``weights``), and how many random sets."""

    setting: str
    site: str
    random_sets: int
    seed: int

    def __post_init__(self) -> None:
        if self.setting not in FACTORS:
            raise UserError(f"unknown setting {self.setting!r}; allowed: {', '.join(FACTORS)}")


@dataclass(frozen=True)
class NamedSet:
    """A neuron set of one fact: ``none``, ``dkn``, ``kn``, or the ``repeat``-th ``kn-matched`` or ``random`` draw."""

    name: str
    repeat: int
    neurons: NeuronSet


def named_sets(
    fact_id: str, dkn: NeuronSet, kn: NeuronSet, n_neurons: int, settings: PerturbationSettings
) -> list[NamedSet]:
    """A fact's neuron sets, the same for every query and every experiment of a seed; ``none`` comes first."""
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
    """The id of a fact's query as an encoded fact of its own."""
    return f"{fact_id}{SEPARATOR}{query}"


def perturbation_records(
    adapter: Adapter, queries: Sequence[EncodedFact], sets: dict[str, list[NamedSet]], settings: PerturbationSettings
) -> pd.DataFrame:
    """Records of a batch of queries whose answers have the same number of tokens.

    Args:
        queries: prompts with ids of ``query_id``.
        sets: each fact's neuron sets, from ``named_sets``.
    Returns:
        Columns as in ``tables.PERTURBATION``, without what the facts' tables know (subject, relation, prompt, …).
    """
    asked = [query.fact_id.split(SEPARATOR) for query in queries]
    variants = [[one.neurons for one in sets[fact_id]] for fact_id, _ in asked]
    found = answer_scores(adapter, queries, variants, FACTORS[settings.setting], settings.site)
    rows = []
    for (fact_id, query), scores in zip(asked, found, strict=True):
        total = scores.log_probs.sum(1)
        for one, after, greedy in zip(sets[fact_id], total, scores.greedy, strict=True):
            rows.append(
                {
                    "fact_id": fact_id,
                    "query": query,
                    "neuron_set": one.name,
                    "repeat": one.repeat,
                    "neurons": len(one.neurons),
                    "log_prob_before": total[0],
                    "log_prob_after": after,
                    "greedy_before": scores.greedy[0],
                    "greedy_after": greedy,
                }
            )
    return pd.DataFrame(rows)


def all_queries(frame: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """All queries of the chosen facts; words are drawn from the prompts of all facts of ``frame``."""
    wordings = [*frame["prompt"], *frame["complex"], *(text for texts in frame["paraphrases"] for text in texts)]
    words = vocabulary(wordings)
    rows: list[dict[str, str]] = []
    for row in chosen.itertuples(index=False):
        prompts = {ORIGINAL: row.prompt, **perturbed_prompts(row.fact_id, row.prompt, row.subject, words, seed)}
        rows.extend({"fact_id": row.fact_id, "query": query, "prompt": text} for query, text in prompts.items())
    return pd.DataFrame(rows, columns=["fact_id", "query", "prompt"])
