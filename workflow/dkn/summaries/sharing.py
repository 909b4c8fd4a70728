"""The summary of experiment ``sharing``: are a fact's components degenerate or redundant? (docs/method.md)

The unit is a fact: numbers of its base degenerate components (BDCs) are averaged first. A contrast between two kinds of
facts takes the BDCs that have both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import (
    APART,
    ASKED_FACTS,
    BDC,
    ELSEWHERE,
    KN_MATCHED,
    OF_RELATION,
    OWN,
    RANDOM,
    SHARING,
)
from dkn.summaries.by_fact import mean_over_facts, paired_difference

COUNTED = ("share", "count")  # of the other facts in which a neuron is a KN
COSTS = ("drop", "nats")
# What a BDC costs the facts that share neurons with it, beside those that share none, and beside its own fact.
KINDS = (
    (f"{OF_RELATION}-{SHARING}", f"{OF_RELATION}-{APART}"),
    (f"{ELSEWHERE}-{SHARING}", f"{ELSEWHERE}-{APART}"),
    (OWN, f"{OF_RELATION}-{SHARING}"),
    (OWN, f"{ELSEWHERE}-{SHARING}"),
)
COLUMNS = ["neuron_set", "others"]
BDC_KEYS = ["fact_id", "component"]
Side = tuple[str, str]  # a group of neurons and a kind of facts


def _mean_of_draws(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per group of neurons, kind of facts and BDC: means of the metrics over draws and asked facts."""
    keys = [*COLUMNS, *BDC_KEYS, "subject"]
    return records.groupby(keys)[[name for name in (*COUNTED, *COSTS) if name in records]].mean().reset_index()


def members_per_bdc(members: pd.DataFrame) -> pd.DataFrame:
    """Return in how many other facts a neuron of each BDC, and of its random sets, is a knowledge neuron.

    Args:
        members: the columns of ``schemas.SHARING_MEMBERS``.
    Returns:
        One row per neuron_set, others, fact_id and component, with subject, ``count`` (facts) and ``share`` (0 to 1).
    """
    return _mean_of_draws(members.assign(count=members["having"], share=members["having"] / members["facts"]))


def costs_per_bdc(records: pd.DataFrame) -> pd.DataFrame:
    """Return what suppressing each BDC, and as many random neurons, costs each kind of facts.

    Args:
        records: the columns of ``schemas.SHARING``.
    Returns:
        One row per neuron_set, others, fact_id and component, with subject, ``nats`` (log Prob lost, negative where the
        answer gained) and ``drop`` (the relative drop in Prob).
    """
    nats = records["log_prob_before"] - records["log_prob_after"]
    return _mean_of_draws(records.assign(nats=nats, drop=-np.expm1(-nats)))


def _by_fact(bdcs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per fact, indexed by it: its subject, and the means of the metrics over its BDCs."""
    metrics = [name for name in (*COUNTED, *COSTS) if name in bdcs]
    return bdcs.groupby(["fact_id", "subject"])[metrics].mean().reset_index("subject")


def _estimates(bdcs: pd.DataFrame, metrics: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (neuron_set, others), frame in bdcs.groupby(COLUMNS):
        facts = _by_fact(frame)
        for metric in metrics:
            mean = mean_over_facts(facts, metric, settings, f"bootstrap/sharing/{neuron_set}/{others}", metric)
            rows.append({"neuron_set": neuron_set, "others": others, "metric": metric, **mean})
    return rows


def _differences(
    bdcs: pd.DataFrame,
    sides: Iterator[tuple[dict[str, str], Side, Side]],
    metrics: tuple[str, ...],
    settings: StatisticsSettings,
) -> Iterator[dict[str, Any]]:
    """Yield the contrasts between pairs of sides, each over the BDCs that have both, averaged within the fact.

    Args:
        bdcs: as ``members_per_bdc`` or ``costs_per_bdc`` returns them.
        sides: what names a contrast, and its two sides.
        metrics: the names of the metrics.
        settings: the number of resamples, the confidence and the seed.
    """
    of_side = {side: frame.set_index(BDC_KEYS) for side, frame in bdcs.groupby(COLUMNS)}
    for about, first, second in sides:
        if first not in of_side or second not in of_side:
            continue
        both = of_side[first].index.intersection(of_side[second].index)
        one, other = (_by_fact(of_side[side].loc[both].reset_index()) for side in (first, second))
        for metric in metrics if len(both) else ():
            key = "/".join([*about.values(), metric])
            difference = paired_difference(one, other, metric, settings, "contrast/sharing", key)
            yield {**about, "metric": metric, **difference}


def _sides_of_sets(bdcs: pd.DataFrame) -> Iterator[tuple[dict[str, str], Side, Side]]:
    """Yield the BDC and each random set, on every kind of facts."""
    for others in sorted(set(bdcs["others"])):
        for name in (KN_MATCHED, RANDOM):
            yield {"first": BDC, "second": name, "others": others}, (BDC, others), (name, others)


def _sides_of_kinds() -> Iterator[tuple[dict[str, str], Side, Side]]:
    """Yield the pairs of kinds of facts, both under suppression of the BDC."""
    for first, second in KINDS:
        yield {"first": first, "second": second, "neuron_set": BDC}, (BDC, first), (BDC, second)


def _counts(records: pd.DataFrame) -> dict[str, Any]:
    """Return how many facts and BDCs there are, how large these are, and how many BDCs have each kind of facts."""
    bdcs = records[records["neuron_set"] == BDC].drop_duplicates([*BDC_KEYS, "others"])
    having = bdcs.groupby("others").size()
    return {
        "degenerate": int(records["fact_id"].nunique()),
        "bdcs": len(bdcs.drop_duplicates(BDC_KEYS)),
        "mean_neurons": bdcs.drop_duplicates(BDC_KEYS)["neurons"].mean() if len(bdcs) else None,
        "bdcs_with": {others: int(having.get(others, 0)) for others in ASKED_FACTS},
    }


def summarise(members: pd.DataFrame, records: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the counts, estimates and contrasts of the experiment.

    Args:
        members: the columns of ``schemas.SHARING_MEMBERS``.
        records: the columns of ``schemas.SHARING``.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        ``counts`` of facts and BDCs, and lists of rows: ``estimates`` by group of neurons, kind of facts and metric,
        and ``contrasts`` of the BDC with random sets and of the kinds of facts with each other.
    """
    if records.empty:
        return {"counts": _counts(records), "estimates": [], "contrasts": []}
    shared, costs = members_per_bdc(members), costs_per_bdc(records)
    contrasts = [
        *_differences(shared, _sides_of_sets(shared), COUNTED[:1], settings),
        *_differences(costs, _sides_of_sets(costs), COSTS, settings),
        *_differences(costs, _sides_of_kinds(), COSTS, settings),
    ]
    return {
        "counts": _counts(records),
        "estimates": [*_estimates(shared, COUNTED, settings), *_estimates(costs, COSTS, settings)],
        "contrasts": with_holm(contrasts),
    }
