"""The summary of a suppression or enhancement experiment (docs/method.md).

It states what the intervention costs or regains on the original query and on perturbed ones, for a fact's degenerate
knowledge neurons (DKN), for its knowledge neurons (KNs), for random neurons and for the DKNs of other facts. It does so
for two populations: all facts that have a DKN, and the degenerate ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dkn.errors import UserError
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.statistics.weighted import Combination, WeightedMean
from dkn.study.names import (
    CHANGING,
    DEGENERATE,
    DKN,
    INTERACTION,
    KN,
    KN_MATCHED,
    NONE,
    OF_CLASS,
    ORIGINAL,
    OTHER_FACT,
    OTHER_RELATION,
    PERTURBED,
    QUERIES,
    QUERY_DROP,
    RANDOM,
    WITH_DKN,
)
from dkn.summaries.by_fact import (
    contrast_row,
    estimate_row,
    mean_over_facts,
    means_over_facts,
    minus,
    paired_difference,
)

# ``nats`` is the log Prob lost, negative where the answer gained. Enhancement has no relative drop, because the drop of
# an answer that gains has no bound.
METRICS = {
    "suppression": ("drop", "nats", "drop_per_neuron", "prob_gain", "prob", "accuracy", "regained", "lost"),
    "enhancement": ("nats", "prob_gain", "prob", "accuracy", "regained", "lost"),
}
CONTRASTED = {"suppression": ("drop", "nats"), "enhancement": ("accuracy", "nats")}
LEVELS = ("prob", "accuracy")  # the metrics of the empty set ``none``, which changes nothing
OTHERS = (KN, KN_MATCHED, RANDOM, OTHER_FACT, OTHER_RELATION)


@dataclass(frozen=True)
class PerturbedAverages:
    """Which records count, and what a drop on perturbed queries is.

    Attributes:
        below_values, below_weights: by the site of the intervention, records count whose Prob after the intervention is
            below this, as in the released code; None counts all.
        reduction: ``facts``, a fact's drop is from before the intervention to after it; or ``means``, the released
            code's: the mean Prob of perturbed queries is compared with that of the original ones, both after the
            intervention, so that drop = (original - perturbed) / original. There it is a quotient of means over facts,
            a fact's queries are averaged first, and the original query has none.
    Raises:
        UserError: the reduction is unknown.
    """

    below_values: float | None = None
    below_weights: float | None = None
    reduction: str = "facts"

    def __post_init__(self) -> None:
        if self.reduction not in ("facts", "means"):
            raise UserError(f"unknown reduction {self.reduction!r}; allowed: facts, means")

    def counted(self, records: pd.DataFrame, site: str) -> pd.DataFrame:
        """Return the records that count.

        Args:
            records: the columns of ``schemas.PERTURBATION``.
            site: ``values`` or ``weights``.
        """
        limit = self.below_values if site == "values" else self.below_weights
        return records if limit is None else records[np.exp(records["log_prob_after"]) < limit]


TEXT = PerturbedAverages()


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
        Queries are added: ``perturbed`` is the mean over the fact's perturbed queries, and ``interaction`` is
        ``perturbed`` minus the original query. Where any query changes the question, ``perturbed-preserving`` and
        ``perturbed-changing`` are the means over the fact's queries of either class.
    """
    keys = ["neuron_set", "fact_id", "subject"]
    facts = records.groupby([*keys, "query", "question"])[list(metrics)].mean()
    is_original = facts.index.get_level_values("query") == ORIGINAL
    original, altered = facts[is_original].droplevel(["query", "question"]), facts[~is_original]
    perturbed = altered.groupby(keys).mean()
    derived = {PERTURBED: perturbed, INTERACTION: (perturbed - original).dropna()}
    if CHANGING in altered.index.unique("question"):
        classes = {OF_CLASS[name]: rows for name, rows in altered.groupby("question")}
        derived |= {query: rows.groupby(keys).mean() for query, rows in classes.items()}
    together = pd.concat(derived, names=["query"])
    return pd.concat((facts.droplevel("question").reset_index(), together.reset_index()), ignore_index=True)


def _estimates(
    facts: pd.DataFrame, population: str, metrics: tuple[str, ...], settings: StatisticsSettings
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (neuron_set, query), frame in facts.groupby(["neuron_set", "query"]):
        of = {"population": population, "neuron_set": neuron_set, "query": query}
        stated = metrics if neuron_set != NONE else LEVELS
        lowest = -1.0 if query == INTERACTION else 0.0
        key = f"{population}/{neuron_set}/{query}"
        means = means_over_facts(frame, stated, settings, "bootstrap", key, lowest)
        rows.extend({**of, "metric": metric, **mean} for metric, mean in means.items())
    return rows


def _query_drops(records: pd.DataFrame, population: str, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return what perturbations alone cost: the relative drop in Prob from the original query to each perturbed one."""
    none = records[records["neuron_set"] == NONE]
    log_probs = none.pivot(index=["fact_id", "subject"], columns="query", values="log_prob_before")
    drops = -np.expm1(log_probs.drop(columns=ORIGINAL).sub(log_probs[ORIGINAL], axis=0))
    rows = []
    for query, column in drops.assign(**{PERTURBED: drops.mean(axis=1)}).items():
        frame = column.dropna().rename(QUERY_DROP).reset_index()
        mean = mean_over_facts(frame, QUERY_DROP, settings, f"bootstrap/{population}/query", str(query))
        rows.append({"population": population, "neuron_set": NONE, "query": query, "metric": QUERY_DROP, **mean})
    return rows


def _contrasts(
    facts: pd.DataFrame, population: str, metrics: tuple[str, ...], settings: StatisticsSettings
) -> list[dict[str, Any]]:
    """Return the DKN minus every other set that there is, paired by fact."""
    rows = []
    for query, frame in facts.groupby("query"):
        by_set = {name: facts_of_set.set_index("fact_id") for name, facts_of_set in frame.groupby("neuron_set")}
        for other in (name for name in OTHERS if name in by_set):
            of = {"population": population, "first": DKN, "second": other, "query": query}
            for metric in metrics:
                key = f"{population}/{other}/{query}/{metric}"
                difference = paired_difference(by_set[DKN], by_set[other], metric, settings, "contrast", key)
                rows.append({**of, "metric": metric, **difference})
    return rows


def means(facts: pd.DataFrame, metrics: tuple[str, ...], averages: PerturbedAverages) -> dict[str, dict[str, Any]]:
    """Return the means over facts: by neuron set, query and metric a combination of weighted means.

    Args:
        facts: as ``per_fact`` returns them, of one population; with the metric prob.
        metrics: the names of the metrics.
        averages: what a drop is.
    """
    found: dict[str, dict[str, Any]] = {}
    for neuron_set, of_set in facts.groupby("neuron_set"):
        by_query = {query: frame.set_index("fact_id") for query, frame in of_set.groupby("query")}
        original = by_query.get(ORIGINAL)
        for query, frame in by_query.items():
            combinations: dict[str, Combination] = {
                metric: [(1.0, WeightedMean.of(frame[metric], frame["subject"]))] for metric in metrics
            }
            if averages.reduction == "means" and "drop" in metrics:
                del combinations["drop"]
                if query not in (ORIGINAL, INTERACTION) and original is not None:
                    before = original["prob"].reindex(frame.index)
                    mean = WeightedMean.of(1 - frame["prob"] / before, frame["subject"], before)
                    combinations["drop"] = [(1.0, mean)]
            found.setdefault(neuron_set, {})[query] = combinations
    return found


def _otherwise(
    facts: pd.DataFrame, population: str, setting: str, averages: PerturbedAverages, settings: StatisticsSettings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return estimates and contrasts where not every record counts, or a drop is a quotient of means."""
    of = means(facts, METRICS[setting], averages)
    estimates, contrasts = [], []
    for neuron_set, queries in of.items():
        for query, combinations in queries.items():
            for metric, combination in combinations.items():
                if neuron_set == NONE and metric not in LEVELS:
                    continue
                about = {"population": population, "neuron_set": neuron_set, "query": query, "metric": metric}
                estimates.append({**about, **estimate_row(combination, settings, f"{about}")})
                own = of.get(DKN, {}).get(query, {}).get(metric)
                if own is not None and neuron_set in OTHERS and metric in CONTRASTED[setting]:
                    pieces = {"population": population, "first": DKN, "second": neuron_set, "query": query}
                    row = contrast_row(minus(own, combination), settings, f"{pieces}/{metric}")
                    contrasts.append({**pieces, "metric": metric, **row})
    return estimates, contrasts


def _counts(records: pd.DataFrame) -> dict[str, Any]:
    """Return how many facts have each query and each neuron set, and how large the sets are.

    Short prompts lack some queries, and a fact with a large DKN may lack another fact's. ``share_of_own`` is the mean
    share of a set's neurons that are in the fact's own DKN.
    """
    facts = records.drop_duplicates("fact_id")
    sets = records[records["query"] == ORIGINAL]
    asked = records.groupby("query")["fact_id"].nunique()
    changing = records[records["question"] == CHANGING].groupby("query")["fact_id"].nunique()
    own = (sets["shared"] / sets["neurons"]).groupby(sets["neuron_set"]).mean()
    return {
        "with_dkn": len(facts),
        "degenerate": int((facts["components"] >= 2).sum()),
        "queries": {query: int(asked.get(query, 0)) for query in QUERIES},
        "changing_queries": {query: int(changing.get(query, 0)) for query in QUERIES},
        "neuron_sets": sets.groupby("neuron_set")["fact_id"].nunique().to_dict(),
        "mean_neurons": sets.groupby("neuron_set")["neurons"].mean().to_dict(),
        "share_of_own": own.dropna().to_dict(),
    }


def summarise(
    records: pd.DataFrame,
    setting: str,
    settings: StatisticsSettings,
    averages: PerturbedAverages = TEXT,
    site: str = "",
) -> dict[str, Any]:
    """Return the counts, estimates and contrasts of one experiment.

    Args:
        records: the columns of ``schemas.PERTURBATION``.
        setting: ``suppression`` or ``enhancement``, which decides on the metrics.
        settings: the number of resamples, the confidence and the seed.
        averages: which records count, and what a drop is.
        site: the site of the intervention, ``values`` or ``weights``, for these.
    Returns:
        ``counts`` of facts and neurons, and lists of rows: ``estimates`` by population, neuron set, query and metric,
        and ``contrasts`` of the DKN with every other set, with Holm's adjustment over all of them. A population without
        facts has no rows.
    """
    measured = with_metrics(averages.counted(records, site))
    populations = {WITH_DKN: measured, DEGENERATE: measured[measured["components"] >= 2]}
    estimates: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    for population, rows in populations.items():
        if len(rows):
            facts = per_fact(rows, METRICS[setting])
            if averages == TEXT:
                estimates += _estimates(facts, population, METRICS[setting], settings)
                estimates += _query_drops(rows, population, settings)
                contrasts += _contrasts(facts, population, CONTRASTED[setting], settings)
            else:
                otherwise = _otherwise(facts, population, setting, averages, settings)
                estimates += otherwise[0]
                contrasts += otherwise[1]
    return {"counts": _counts(records), "estimates": estimates, "contrasts": with_holm(contrasts)}
