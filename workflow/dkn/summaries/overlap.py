"""What the overlap records say: facts' sets against each other, and the union's overlap against chance."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy.stats import hypergeom

from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import DKN, KN, MATCHED, RANDOM
from dkn.summaries.by_fact import mean_over_facts, paired_difference

METRICS = ("auroc", "share")


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """One row per (part, neuron set, fact): a fact's random draws are averaged first, so every fact counts once."""
    return records.groupby(["part", "neuron_set", "fact_id", "subject"])[list(METRICS)].mean().reset_index()


def _estimates(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (part, name), frame in facts.groupby(["part", "neuron_set"]):
        for metric in METRICS:
            mean = mean_over_facts(frame, metric, settings, "bootstrap/overlap", f"{part}/{name}/{metric}")
            rows.append({"neuron_set": name, "part": part, "metric": metric, **mean})
    return rows


def _contrasts(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """A fact's DKNs minus its other sets, paired by fact; Holm's adjustment over all of them."""
    rows = []
    for part, frame in facts.groupby("part"):
        by_set = {name: rows_of.set_index("fact_id") for name, rows_of in frame.groupby("neuron_set")}
        for second in (KN, RANDOM, MATCHED):
            for metric in METRICS:
                key = f"{part}/{second}/{metric}"
                found = paired_difference(by_set[DKN], by_set[second], metric, settings, "contrast/overlap", key)
                rows.append({"first": DKN, "second": second, "part": part, "metric": metric, **found})
    return with_holm(rows)


def unions(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """Per part, set and size of the top: overlap, what chance gives, and how often chance or a draw reaches it.

    ``p_hypergeometric`` takes the set for a random one of its size. ``p_draws`` of the DKNs is the share of matched
    draws (themselves included) that overlap at least as much; means over draws stand for the random sets.
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
            here = curves[(curves["part"] == row["part"]) & (curves["top"] == row["top"])]
            for name in (RANDOM, MATCHED):
                drawn = here.loc[here["neuron_set"] == name, "overlap"]
                row[f"p_{name}"] = float((1 + (drawn >= row["overlap"]).sum()) / (1 + len(drawn)))
        rows.append(row)
    return rows


def summarise(records: pd.DataFrame, curves: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Estimates and contrasts over facts, and the unions' curves; columns of the arguments as in ``tables``."""
    if records.empty:
        return {"estimates": [], "contrasts": [], "unions": []}
    facts = per_fact(records)
    return {
        "estimates": _estimates(facts, settings),
        "contrasts": _contrasts(facts, settings),
        "unions": unions(curves),
    }
