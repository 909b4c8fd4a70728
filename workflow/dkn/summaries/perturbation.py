"""The summary of a suppression or enhancement experiment (docs/method.md).

It states what the intervention costs or regains on the original query and on perturbed ones, for a fact's degenerate
knowledge neurons (DKN), for its knowledge neurons (KNs) and for random neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import DKN, INTERACTION, KN, KN_MATCHED, NONE, ORIGINAL, PERTURBED, QUERIES, QUERY_DROP, RANDOM
from dkn.summaries.by_fact import mean_over_facts, paired_difference

# ``nats`` is the log Prob lost, negative where the answer gained. Enhancement has no relative drop, because the drop of
# an answer that gains has no bound.
METRICS = {
    "suppression": ("drop", "nats", "drop_per_neuron", "prob_gain", "prob", "accuracy", "regained", "lost"),
    "enhancement": ("nats", "prob_gain", "prob", "accuracy", "regained", "lost"),
}
CONTRASTED = {"suppression": ("drop", "nats"), "enhancement": ("accuracy", "nats")}
LEVELS = ("prob", "accuracy")  # the metrics of the empty set ``none``, which changes nothing
OTHERS = (KN, KN_MATCHED, RANDOM)


def with_metrics(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records with a column for every metric.

    The drops come from log-probabilities, so that a very small Prob loses no digits.

    Args:
        records: the columns of ``schemas.PERTURBATION``.
    """
    nats = records["log_prob_before"] - records["log_prob_after"]
    before, after = records["greedy_before"], records["greedy_after"]
    drop = -np.expm1(-nats)
    prob = np.exp(records["log_prob_after"])
    return records.assign(
        nats=nats,
        drop=drop,
        drop_per_neuron=drop / records["neurons"].clip(lower=1),
        prob=prob,
        prob_gain=prob - np.exp(records["log_prob_before"]),
        accuracy=after.astype(float),
        regained=(~before & after).astype(float),
        lost=(before & ~after).astype(float),
    )


def per_fact(records: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Return the metrics of every fact: one row per neuron set, query and fact; random draws are averaged.

    Args:
        records: as ``with_metrics`` returns them.
        metrics: the names of the metrics.
    Returns:
        Two queries are added: ``perturbed`` is the mean over the fact's perturbed queries, and ``interaction`` is
        ``perturbed`` minus the original query.
    """
    keys = ["neuron_set", "fact_id", "subject"]
    facts = records.groupby([*keys, "query"])[list(metrics)].mean()
    original = facts.xs(ORIGINAL, level="query")
    perturbed = facts.drop(ORIGINAL, level="query").groupby(keys).mean()
    interaction = perturbed - original.loc[perturbed.index]
    derived = pd.concat({PERTURBED: perturbed, INTERACTION: interaction}, names=["query"])
    return pd.concat((facts.reset_index(), derived.reset_index()), ignore_index=True)


def _estimates(facts: pd.DataFrame, metrics: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (neuron_set, query), frame in facts.groupby(["neuron_set", "query"]):
        for metric in metrics if neuron_set != NONE else LEVELS:
            mean = mean_over_facts(frame, metric, settings, f"bootstrap/{neuron_set}/{query}", metric)
            rows.append({"neuron_set": neuron_set, "query": query, "metric": metric, **mean})
    return rows


def _query_drops(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return what perturbations alone cost: the relative drop in Prob from the original query to each perturbed one."""
    none = records[records["neuron_set"] == NONE]
    log_probs = none.pivot(index=["fact_id", "subject"], columns="query", values="log_prob_before")
    drops = -np.expm1(log_probs.drop(columns=ORIGINAL).sub(log_probs[ORIGINAL], axis=0))
    rows = []
    for query, column in drops.assign(**{PERTURBED: drops.mean(axis=1)}).items():
        frame = column.dropna().rename(QUERY_DROP).reset_index()
        mean = mean_over_facts(frame, QUERY_DROP, settings, "bootstrap/query", str(query))
        rows.append({"neuron_set": NONE, "query": query, "metric": QUERY_DROP, **mean})
    return rows


def _contrasts(facts: pd.DataFrame, metrics: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the DKN minus every other set, paired by fact, with Holm's adjustment over all contrasts."""
    rows = []
    for query, frame in facts.groupby("query"):
        by_set = {name: facts_of_set.set_index("fact_id") for name, facts_of_set in frame.groupby("neuron_set")}
        for other in OTHERS:
            for metric in metrics:
                key = f"{other}/{query}/{metric}"
                difference = paired_difference(by_set[DKN], by_set[other], metric, settings, "contrast", key)
                rows.append({"first": DKN, "second": other, "query": query, "metric": metric, **difference})
    return with_holm(rows)


def _counts(records: pd.DataFrame) -> dict[str, Any]:
    """Return how many facts have each query (short prompts lack some), and how large the neuron sets are."""
    facts = records.drop_duplicates("fact_id")
    asked = records.groupby("query")["fact_id"].nunique()
    return {
        "with_dkn": len(facts),
        "degenerate": int((facts["components"] >= 2).sum()),
        "queries": {query: int(asked.get(query, 0)) for query in QUERIES},
        "mean_neurons": records.groupby("neuron_set")["neurons"].mean().to_dict(),
    }


def summarise(records: pd.DataFrame, setting: str, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the counts, estimates and contrasts of one experiment.

    Args:
        records: the columns of ``schemas.PERTURBATION``.
        setting: ``suppression`` or ``enhancement``, which decides on the metrics.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        ``counts`` of facts and neurons, and lists of rows: ``estimates`` by neuron set, query and metric, and
        ``contrasts`` of the DKN with every other set.
    """
    if records.empty:
        return {"counts": _counts(records), "estimates": [], "contrasts": []}
    facts = per_fact(with_metrics(records), METRICS[setting])
    return {
        "counts": _counts(records),
        "estimates": [*_estimates(facts, METRICS[setting], settings), *_query_drops(records, settings)],
        "contrasts": _contrasts(facts, CONTRASTED[setting], settings),
    }
