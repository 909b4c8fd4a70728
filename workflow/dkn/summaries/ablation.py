"""The summary of the ablation experiment: what is left of a fact's Prob without the first neurons of an order.

``left`` is Prob with neurons suppressed, as a share of Prob without intervention (docs/method.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED
from dkn.summaries.by_fact import mean_over_facts, paired_difference

ORDERS = (ATTRIBUTION, MAGNITUDE, RANDOM_ORDER)
# Of as many neurons as the fact has knowledge neurons: the share of Prob that is ``left`` when they are suppressed, its
# complement ``drop``, and the share that is left when only they are ``alone`` active. Over the steps at which the order
# by attribution is known: the mean drop (``comprehensiveness``), and the mean share that is left when only the first
# neurons are active (``sufficiency``).
METRICS = ("left", "drop", "alone", "comprehensiveness", "sufficiency")
CONTRASTED = METRICS[1:]
KEYS = ["order", "fact_id", "subject"]


def with_left(records: pd.DataFrame) -> pd.DataFrame:
    """Return the share of Prob that is left: one row per fact, order, intervention and number of neurons.

    Args:
        records: the columns of ``schemas.ABLATION``.
    Returns:
        The columns of the records that say what a row is of, but for ``repeat``, and ``left``, which is averaged over
        random orders.
    """
    left = np.exp(records["log_prob_after"] - records["log_prob_before"])
    means = records.assign(left=left).groupby([*KEYS, "intervention", "neurons", "kns", "scored", "total"])["left"]
    return means.mean().reset_index()


def _is_step(points: pd.DataFrame) -> pd.Series:
    """Tell which rows are at a step that all facts share: a power of two below the number of all neurons."""
    count = points["neurons"]
    return (count > 0) & (count & (count - 1) == 0) & (count < points["total"])


def per_fact(points: pd.DataFrame) -> pd.DataFrame:
    """Return ``METRICS`` of every fact: one row per order and fact.

    Args:
        points: as ``with_left`` returns them.
    """
    suppressed = points["intervention"] == SUPPRESSED

    def mean(rows: pd.Series) -> pd.Series:
        return points[rows].groupby(KEYS)["left"].mean()

    own = points["neurons"] == points["kns"]
    step = _is_step(points) & (points["neurons"] <= points["scored"])
    left = mean(suppressed & own)
    metrics = {
        "left": left,
        "drop": 1 - left,
        "alone": mean(~suppressed & own),
        "comprehensiveness": 1 - mean(suppressed & step),
        "sufficiency": mean(~suppressed & step),
    }
    return pd.DataFrame(metrics).reset_index()


def _estimates(facts: pd.DataFrame, points: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the means of all metrics by order, and what is left with all neurons of the model suppressed."""
    rows = []
    for order in ORDERS:
        for metric in METRICS:
            frame = facts[facts["order"] == order]
            mean = mean_over_facts(frame, metric, settings, "bootstrap/ablation", f"{order}/{metric}")
            rows.append({"order": order, "metric": metric, **mean})
    nothing = (points["order"] == ATTRIBUTION) & (points["intervention"] == KEPT) & (points["neurons"] == 0)
    mean = mean_over_facts(points[nothing], "left", settings, "bootstrap/ablation", "all/left")
    return [*rows, {"order": "all", "metric": "left", **mean}]


def _contrasts(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the order by attribution minus each other one, paired by fact, with Holm's adjustment over all."""
    by_order = {name: frame.set_index("fact_id") for name, frame in facts.groupby("order")}
    rows = []
    for second in (MAGNITUDE, RANDOM_ORDER):
        for metric in CONTRASTED:
            difference = paired_difference(
                *(by_order[ATTRIBUTION], by_order[second], metric, settings),
                *("contrast/ablation", f"{second}/{metric}"),
            )
            rows.append({"first": ATTRIBUTION, "second": second, "metric": metric, **difference})
    return with_holm(rows)


def _curves(points: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the share that is left at every step, at none and at all neurons, by order and intervention."""
    shared = points[_is_step(points) | points["neurons"].isin([0, points["total"].max()])]
    rows = []
    for (order, intervention, neurons), frame in shared.groupby(["order", "intervention", "neurons"]):
        mean = mean_over_facts(frame, "left", settings, "bootstrap/ablation", f"{order}/{intervention}/{neurons}")
        rows.append({"order": order, "intervention": intervention, "neurons": int(neurons), **mean})
    return rows


def _counts(points: pd.DataFrame) -> dict[str, Any]:
    """Return how many facts there are, and how many neurons the model, a fact's scores and its KNs have."""
    facts = points.drop_duplicates("fact_id")
    about: dict[str, Any] = {"facts": len(facts)}
    if len(facts):
        about["neurons"] = int(facts["total"].max())
        about["mean_kns"], about["mean_scored"] = float(facts["kns"].mean()), float(facts["scored"].mean())
    return about


def summarise(records: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the counts, estimates, contrasts and curves of the experiment.

    Args:
        records: the columns of ``schemas.ABLATION``.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        ``counts`` of facts and neurons, and lists of rows: ``estimates`` by order and metric, ``contrasts`` of the
        order by attribution with the other ones, and ``curves`` by order, intervention and number of neurons. The
        lists are empty where there are no records.
    """
    points = with_left(records)
    if points.empty:
        return {"counts": _counts(points), "estimates": [], "contrasts": [], "curves": []}
    facts = per_fact(points)
    return {
        "counts": _counts(points),
        "estimates": _estimates(facts, points, settings),
        "contrasts": _contrasts(facts, settings),
        "curves": _curves(points, settings),
    }
