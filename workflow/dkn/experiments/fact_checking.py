"""Fact-checking: do neurons tell a true statement from a false one? (docs/method.md)

A statement is a fact with a stated answer. Its score is the mean attribution of a neuron set for that answer. The
baselines ask the model in words (true or false?), or take the stated answer's probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.encoded_facts import EncodedFact, batches
from dkn.decoder.loading import LanguageModel
from dkn.decoder.row_budget import RowBudget
from dkn.neurons.sets import NeuronSet, random_like
from dkn.progress import progress
from dkn.randomness import generator

ATTRIBUTION = AttributionSettings("amig", "gauss-legendre", 3)  # a mean over neurons needs no refinement


@dataclass(frozen=True)
class StatementSet:
    """A neuron set by which a fact's statements are scored: whose detector, and whose neurons (own, relation)."""

    detector: str
    origin: str
    neurons: NeuronSet


def relation_sets(members: dict[str, NeuronSet], facts: pd.DataFrame, size: int) -> dict[str, NeuronSet]:
    """Per relation the neurons that the most training subjects have (then: the most facts), at most ``size``.

    Args:
        members: neuron sets of facts; those whose split is not train are not looked at.
        facts: columns relation, subject and split, indexed by fact_id.
    """
    training = [fact_id for fact_id in members if facts.loc[fact_id, "split"] == "train"]
    if not training:
        return {}
    parts = [
        pd.DataFrame({"fact_id": fact_id, "layer": members[fact_id].layers, "neuron": members[fact_id].neurons})
        for fact_id in training
    ]
    table = pd.concat(parts).join(facts[["relation", "subject"]], on="fact_id")
    counted = table.groupby(["relation", "layer", "neuron"]).agg(
        subjects=("subject", "nunique"), facts=("fact_id", "nunique")
    )
    ranked = counted.reset_index().sort_values(
        ["subjects", "facts", "layer", "neuron"], ascending=[False, False, True, True]
    )
    return {
        relation: NeuronSet(top["layer"].to_numpy(dtype=np.int64), top["neuron"].to_numpy(dtype=np.int64))
        for relation, top in ranked.groupby("relation").head(size).groupby("relation")
    }


def attribution_records(
    model: LanguageModel,
    statements: pd.DataFrame,
    encoded: dict[str, EncodedFact],
    sets: dict[str, list[StatementSet]],
    batch: int,
) -> pd.DataFrame:
    """Mean attribution of each fact's neuron sets for every stated answer.

    Args:
        statements: from ``make_statements``.
        encoded: their tokens by statement.
        sets: by fact id.
    Returns:
        Columns statement, detector, neurons, size, score.
    """
    owner = statements.set_index("statement")["fact_id"]
    budget = RowBudget.for_model(model.adapter)
    rows = []
    for group in progress(list(batches(list(encoded.values()), batch)), "statements", unit="batch"):
        for found in attribute(model.adapter, group, model.mask_token, ATTRIBUTION, budget):
            scores = found.scores.numpy()
            for one in sets[owner[found.fact_id]]:
                rows.append(
                    {
                        "statement": found.fact_id,
                        "detector": one.detector,
                        "neurons": one.origin,
                        "size": len(one.neurons),
                        "score": float(scores[one.neurons.layers, one.neurons.neurons].mean()),
                    }
                )
    return pd.DataFrame(rows, columns=["statement", "detector", "neurons", "size", "score"])


def with_control(origin: str, key: str, dkn: NeuronSet, n_neurons: int, seed: int) -> list[StatementSet]:
    """A DKN, and as many random neurons of the same layers."""
    random = random_like(dkn, n_neurons, generator(seed, f"fact-checking/random/{origin}", key))
    return [StatementSet("dkn", origin, dkn), StatementSet("random", origin, random)]
