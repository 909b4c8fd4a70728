"""The partial drop, the full drop and the gap of groupings as weighted means over facts.

They hold for both ways of averaging. Where every fact counts once, a gap is a mean over facts, and two of them are
compared fact by fact. Where every subset counts once (the released code's way), a fact with many subsets weighs more
in the partial drop than in the full one. The gap then is a difference of two means, and so is a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dkn.experiments.degeneracy_measures import METRICS, Averages, per_fact
from dkn.statistics.weighted import Combination, WeightedMean, change
from dkn.study.names import CONTROL
from dkn.summaries.by_fact import minus

PARTIAL, FULL, GAP, BEYOND = "partial", "full", "gap", "gap_beyond_control"
Means = Mapping[tuple[str, str], Mapping[tuple[str, str], Combination]]


def means(records: pd.DataFrame, averages: Averages) -> Means:
    """Return the means of one grouping's records: by selection and grouping, and then by metric and kind.

    Args:
        records: as ``degeneracy_measures.with_metrics`` returns them; they hold a grouping and its controls.
        averages: how partial drops are averaged.
    Returns:
        The kinds partial, full and gap, and gap_beyond_control where the records hold the control of random groups.
    """
    if records.empty:
        return {}
    partial = records[records["suppressed_components"] < records["components"]]
    keys = ["selection", "grouping"]
    counts = {key: rows.groupby("fact_id").size() for key, rows in partial.groupby(keys)}
    found: dict[tuple[str, str], dict[tuple[str, str], Combination]] = {}
    for (selection, grouping), facts in per_fact(records).groupby(keys):
        table = facts.set_index("fact_id")
        weights = counts.get((selection, grouping)) if averages.average == "subsets" else None
        found[selection, grouping] = {
            (metric, kind): combination
            for metric in METRICS
            for kind, combination in _of_metric(table, metric, weights).items()
        }
    for (selection, grouping), of_grouping in found.items():
        control = found.get((selection, CONTROL))
        if control is not None and grouping != CONTROL:
            for metric in METRICS:
                of_grouping[metric, BEYOND] = minus(of_grouping[metric, GAP], control[metric, GAP])
    return found


def _of_metric(table: pd.DataFrame, metric: str, weights: pd.Series | None) -> dict[str, Combination]:
    """Return the kinds of one metric.

    Args:
        table: one row per fact, indexed by its id, as ``degeneracy_measures.per_fact`` has it.
        weights: the number of each fact's subsets, where every subset counts once; None where every fact does.
    """
    subjects = table["subject"]
    partial = WeightedMean.of(table[f"{metric}_{PARTIAL}"], subjects, weights)
    full = WeightedMean.of(table[f"{metric}_{FULL}"], subjects)
    gap: Combination = [(1.0, WeightedMean.of(table[f"{metric}_{GAP}"], subjects))]
    if weights is not None:
        gap = change([(1.0, full)], [(1.0, partial)])
    return {PARTIAL: [(1.0, partial)], FULL: [(1.0, full)], GAP: gap}
