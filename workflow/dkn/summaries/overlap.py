"""The summary of the overlap experiment: where full fine-tuning changes a model, against its neuron sets.

The neuron sets of facts are compared with each other, and the overlap of their union with the most changed neurons, the
top of the ranking, is compared with chance. A part says which change the neurons are ranked by (docs/method.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from dkn.statistics.draws import of_mean, of_one_more, with_draws
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import DKN, KN, MATCHED, RANDOM, RANDOM_KN
from dkn.summaries.by_fact import mean_over_facts, paired_difference

METRICS = ("auroc", "share")
PRIMARY = ("both", "share")  # the part and the metric of the contrasts that were fixed in advance, whatever their rival


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """Return ``METRICS`` of every fact: one row per part, neuron set and fact.

    Trainings and random draws are averaged, so that every fact counts once.

    Args:
        records: the columns of ``schemas.OVERLAP``.
    """
    return records.groupby(["part", "neuron_set", "fact_id", "subject"])[list(METRICS)].mean().reset_index()


def _estimates(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (part, name), frame in facts.groupby(["part", "neuron_set"]):
        for metric in METRICS:
            mean = mean_over_facts(frame, metric, settings, "bootstrap/overlap", f"{part}/{name}/{metric}")
            rows.append({"neuron_set": name, "part": part, "metric": metric, **mean})
    return rows


def _over_facts(rows: pd.DataFrame, name: str, metric: str, by: str) -> pd.Series:
    """Return the mean over facts of a metric of one neuron set, by training or by draw."""
    return rows[rows["neuron_set"] == name].groupby(by)[metric].mean()


def _neurons_and_trainings(rows: pd.DataFrame, second: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much a difference of DKNs varies: between random neurons, and between trainings.

    Args:
        rows: the records of one part.
        second: the set that is subtracted.
        metric: the metric.
    Returns:
        (draws,) the mean over facts of random sets that share neurons as the DKNs of the facts do. Where the knowledge
        neurons are subtracted, their own random sets of the same draw are subtracted too. And (trainings,) the
        difference in each training.
    """
    drawn = _over_facts(rows, RANDOM if second == KN else second, metric, "draw")
    if second == KN:
        drawn = drawn - _over_facts(rows, RANDOM_KN, metric, "draw")
    trained = _over_facts(rows, DKN, metric, "training") - _over_facts(rows, second, metric, "training")
    return drawn.to_numpy(), trained.to_numpy()


def _contrasts(records: pd.DataFrame, facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return a fact's DKN minus each other set, paired by fact, over facts, random neurons and trainings.

    Holm's adjustment runs over the primary contrasts, and apart from them over all others.
    """
    rows = []
    for part, frame in facts.groupby("part"):
        by_set = {name: facts_of_set.set_index("fact_id") for name, facts_of_set in frame.groupby("neuron_set")}
        of_part = records[records["part"] == part]
        for second in (KN, RANDOM, MATCHED):
            for metric in METRICS:
                about = {"first": DKN, "second": second, "part": part, "metric": metric}
                key = f"{part}/{second}/{metric}"
                difference = paired_difference(by_set[DKN], by_set[second], metric, settings, "contrast/overlap", key)
                drawn, trained = _neurons_and_trainings(of_part, second, metric)
                whole = with_draws(difference, [of_one_more(drawn), of_mean(trained)], settings.confidence)
                counts = {"draws": len(drawn), "trainings": len(trained)}
                rows.append({**about, "primary": (part, metric) == PRIMARY, **whole, **counts})
    return with_holm(rows, "primary")


def unions(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how far the unions of the facts' sets overlap with the top of the ranking, and what chance gives.

    Args:
        curves: the columns of ``schemas.OVERLAP_CURVES``.
    Returns:
        One row per part, size of the top and neuron set; random sets have the means over their draws. ``expected`` is
        the overlap that chance gives, and ``share_of_top`` and ``share_of_set`` relate the overlap to both sizes.
        ``p_hypergeometric``, of DKNs and knowledge neurons, is the probability that a random set of the same size
        overlaps at least as much. ``p_random`` and ``p_random-matched``, of the DKNs, are the shares of the draws of
        each random set, the DKNs counted among them, that overlap at least as much.
    """
    keys = ["part", "top", "neuron_set"]
    means = curves.groupby(keys, as_index=False)[["neurons", "total", "auroc", "overlap"]].mean()
    rows = []
    for row in means.to_dict("records"):
        row["expected"] = row["neurons"] * row["top"] / row["total"]
        row["share_of_top"] = row["overlap"] / row["top"]
        row["share_of_set"] = row["overlap"] / row["neurons"]
        if row["neuron_set"] in (DKN, KN):
            row["p_hypergeometric"] = float(hypergeom.sf(row["overlap"] - 1, row["total"], row["neurons"], row["top"]))
        if row["neuron_set"] == DKN:
            same_top = curves[(curves["part"] == row["part"]) & (curves["top"] == row["top"])]
            for name in (RANDOM, MATCHED):
                drawn = same_top.loc[same_top["neuron_set"] == name, "overlap"]
                row[f"p_{name}"] = float((1 + (drawn >= row["overlap"]).sum()) / (1 + len(drawn)))
        rows.append(row)
    return rows


def summarise(records: pd.DataFrame, curves: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the estimates and contrasts over facts, and the overlaps of the unions.

    Args:
        records: the columns of ``schemas.OVERLAP``.
        curves: the columns of ``schemas.OVERLAP_CURVES``.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        Lists of rows ``estimates``, ``contrasts`` and ``unions``, all empty where there are no records.
    """
    if records.empty:
        return {"estimates": [], "contrasts": [], "unions": []}
    facts = per_fact(records)
    return {
        "estimates": _estimates(facts, settings),
        "contrasts": _contrasts(records, facts, settings),
        "unions": unions(curves),
    }
