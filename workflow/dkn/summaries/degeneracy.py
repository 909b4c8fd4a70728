"""The summary of a degeneracy experiment: partial drops, full drops, and the gap between them (docs/method.md).

The partial drop is the mean over proper subsets of a fact's components, the full drop that with all of them suppressed.
They are also given by numbers of components and of neurons, and compared with those of the controls. The degenerate
knowledge neurons (DKN) of another fact are no components of the fact, so they have a full drop only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.degeneracy_measures import METRICS, TEXT, Averages, per_fact, with_metrics
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import CONTROLS, OTHER_FACTS
from dkn.summaries.by_fact import contrast_row, estimate_row, mean_over_facts, minus, paired_difference
from dkn.summaries.degeneracy_means import means

KINDS = ("partial", "full", "gap")
CURVE_METRICS = ("drop", "nats")  # drops per neuron are only compared at equal numbers of neurons


def _kinds(grouping: str) -> tuple[str, ...]:
    """Return the kinds of drops that a grouping has; another fact's DKN is suppressed as a whole only."""
    return ("full",) if grouping in OTHER_FACTS else KINDS


def _estimates(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (selection, grouping), frame in facts.groupby(["selection", "grouping"]):
        for metric, kind in product(METRICS, _kinds(grouping)):
            column = f"{metric}_{kind}"
            mean = mean_over_facts(frame, column, settings, f"bootstrap/{selection}/{grouping}", column)
            rows.append({"selection": selection, "grouping": grouping, "metric": metric, "kind": kind, **mean})
    return rows


def _curves(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the mean drop by the number of a fact's components and the number of suppressed ones.

    Every fact contributes one value for each number of suppressed components.
    """
    keys = ["selection", "grouping", "components", "suppressed_components"]
    means = records.groupby([*keys, "fact_id", "subject"])[list(CURVE_METRICS)].mean().reset_index()
    rows = []
    for values, frame in means.groupby(keys):
        where = dict(zip(keys, values, strict=True))
        for metric in CURVE_METRICS:
            mean = mean_over_facts(frame, metric, settings, "bootstrap/curve", f"{values}/{metric}")
            rows.append({**where, "metric": metric, **mean})
    return rows


def _by_neurons(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the mean drop by the number of suppressed neurons, in bins that double: 1, 2, 3-4, 5-8, …

    Every fact contributes one value per bin. A method and its control suppress the same numbers of neurons, so that
    they can be compared bin by bin.
    """
    most = 2 ** np.ceil(np.log2(records["suppressed_neurons"])).astype(int)
    keys = ["selection", "grouping", "most_neurons"]
    columns = ["suppressed_neurons", *METRICS]
    means = records.assign(most_neurons=most).groupby([*keys, "fact_id", "subject"])[columns].mean().reset_index()
    rows = []
    for values, frame in means.groupby(keys):
        where = {**dict(zip(keys, values, strict=True)), "mean_neurons": float(frame["suppressed_neurons"].mean())}
        for metric in METRICS:
            mean = mean_over_facts(frame, metric, settings, "bootstrap/neurons", f"{values}/{metric}")
            rows.append({**where, "metric": metric, **mean})
    return rows


def _by_components(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return the mean partial and full drop of the facts with each number of BDCs; controls have none of their own."""
    kept = records[(records["selection"] == "bdc") & ~records["grouping"].isin(CONTROLS)]
    rows = []
    for (grouping, components), frame in kept.groupby(["grouping", "components"]):
        facts = per_fact(frame).dropna(subset=["drop_partial", "drop_full"])
        about = {"selection": "bdc", "grouping": grouping, "components": int(components), "metric": "drop"}
        for kind in ("partial", "full"):
            key = f"{grouping}/{components}/{kind}"
            mean = mean_over_facts(facts, f"drop_{kind}", settings, "bootstrap/components", key)
            rows.append({**about, "kind": kind, **mean})
    return rows


def _contrasts(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return method minus control for each control and for the DKN of other facts, paired by fact."""
    frames = {key: frame.set_index("fact_id") for key, frame in facts.groupby(["selection", "grouping"])}
    rivals = (*CONTROLS, *OTHER_FACTS)
    rows = []
    for (selection, grouping), frame in frames.items():
        for control in rivals:
            if grouping in rivals or (selection, control) not in frames:
                continue
            for metric, kind in product(METRICS, _kinds(control)):
                column = f"{metric}_{kind}"
                key = f"{selection}/{grouping}/{control}/{column}"
                difference = paired_difference(frame, frames[selection, control], column, settings, "contrast", key)
                about = {"selection": selection, "first": grouping, "second": control, "metric": metric, "kind": kind}
                rows.append({**about, **difference})
    return rows


def _otherwise(
    measured: pd.DataFrame, averages: Averages, settings: StatisticsSettings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return estimates and contrasts where not every fact and every record counts once."""
    of = means(measured, averages)
    estimates, contrasts = [], []
    rivals = (*CONTROLS, *OTHER_FACTS)
    for (selection, grouping), combinations in of.items():
        for metric, kind in product(METRICS, _kinds(grouping)):
            about = {"selection": selection, "grouping": grouping, "metric": metric, "kind": kind}
            estimates.append({**about, **estimate_row(combinations[metric, kind], settings, f"{about}")})
        for control in rivals if grouping not in rivals else ():
            for metric, kind in product(METRICS, _kinds(control)) if (selection, control) in of else ():
                pair = combinations[metric, kind], of[selection, control][metric, kind]
                pieces = {"selection": selection, "first": grouping, "second": control, "metric": metric, "kind": kind}
                contrasts.append({**pieces, **contrast_row(minus(*pair), settings, f"{pieces}")})
    return estimates, contrasts


def summarise(
    records: pd.DataFrame,
    settings: StatisticsSettings,
    tested: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    averages: Averages = TEXT,
) -> dict[str, Any]:
    """Return the estimates, curves and contrasts of a degeneracy experiment.

    Args:
        records: the columns of ``schemas.DEGENERACY``, of one method and its controls.
        settings: the number of resamples, the confidence and the seed.
        tested: rows of ``estimates`` and ``contrasts`` of the functional test, see ``compare_tests``.
        averages: how drops are averaged.
    Returns:
        Lists of rows, without those of the test empty where there are no records: ``estimates`` by selection, grouping,
        metric and kind (partial, full or gap), and by grouping and measure of the test; ``curves`` by number of
        suppressed components; ``by_neurons`` by number of suppressed neurons; ``by_components`` by number of BDCs; and
        ``contrasts`` of the method with its controls, in either. Holm's adjustment is over all contrasts.
    """
    measured = with_metrics(records, averages)
    own = measured[~measured["grouping"].isin(OTHER_FACTS)]
    if averages == TEXT:
        facts = per_fact(measured) if len(measured) else measured
        estimates, contrasts = _estimates(facts, settings), _contrasts(facts, settings)
    else:
        estimates, contrasts = _otherwise(measured, averages, settings)
    of_test = tested or {"estimates": [], "contrasts": []}
    return {
        "estimates": [*estimates, *of_test["estimates"]],
        "curves": _curves(own, settings),
        "by_neurons": _by_neurons(own, settings),
        "by_components": _by_components(own, settings),
        "contrasts": with_holm([*contrasts, *of_test["contrasts"]]),
    }
