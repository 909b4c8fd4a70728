"""NTC against every other grouping and the tested control: degeneracy gaps, and who passes the functional test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dkn.experiments.degeneracy_measures import METRICS, per_fact, with_metrics
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import CONTROL, NTC
from dkn.summaries.by_fact import mean_over_facts, paired_difference

# The gap between full and mean partial drop, and how far it exceeds that of random groups of the same sizes.
KINDS = ("gap", "gap_beyond_control")
PASSING = ("share_passing", "two_or_more")


def _measured(
    frames: Mapping[str, pd.DataFrame],
    columns: Sequence[tuple[str, dict[str, str]]],
    settings: StatisticsSettings,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Estimates of every grouping, and contrasts of NTC with every other one, for each (column, its labels).

    Args:
        frames: per grouping one row per fact, indexed by fact, with a column ``subject``.
    """
    estimates, contrasts = [], []
    for column, labels in columns:
        for grouping, frame in frames.items():
            if column not in frame:
                continue  # the tested control has no control of its own
            name = "/".join(labels.values())
            mean = mean_over_facts(frame, column, settings, "bootstrap/comparison", f"{grouping}/{name}/{column}")
            estimates.append({"grouping": grouping, **labels, **mean})
            if grouping != NTC and NTC in frames:
                key = f"{NTC}/{grouping}/{name}/{column}"
                difference = paired_difference(frames[NTC], frame, column, settings, "contrast", key)
                contrasts.append({"first": NTC, "second": grouping, **labels, **difference})
    return estimates, contrasts


def _gaps(records: pd.DataFrame, grouping: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """(selection, one row per fact) with every metric's gap and, where there is a control, the gap beyond it."""
    if records.empty:
        return
    for selection, frame in per_fact(with_metrics(records)).groupby("selection"):
        method, control = (frame[frame["grouping"] == name].set_index("fact_id") for name in (grouping, CONTROL))
        if not control.empty:
            for metric in METRICS:
                beyond = method[f"{metric}_gap"] - control[f"{metric}_gap"]
                method[f"{metric}_gap_beyond_control"] = beyond
        yield str(selection), method


def compare_gaps(records: Mapping[str, pd.DataFrame], settings: StatisticsSettings) -> dict[str, Any]:
    """Estimates and contrasts of the gaps, from each grouping's records (columns as in ``tables.DEGENERACY``).

    Contrasts are paired over the facts in which both groupings have two components, and adjusted over the other
    groupings, for each selection, metric and kind.
    """
    frames: dict[str, dict[str, pd.DataFrame]] = {}
    for grouping, table in records.items():
        for selection, frame in _gaps(table, grouping):
            frames.setdefault(selection, {})[grouping] = frame
    estimates: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    for selection in sorted(frames):
        columns = [
            (f"{metric}_{kind}", {"selection": selection, "metric": metric, "kind": kind})
            for metric in METRICS
            for kind in KINDS
        ]
        for found, total in zip(_measured(frames[selection], columns, settings), (estimates, contrasts), strict=True):
            total.extend(found)
    return {"estimates": estimates, "contrasts": with_holm(contrasts, "selection", "metric", "kind")}


def _passing(components: pd.DataFrame, subjects: pd.Series) -> pd.DataFrame:
    """One row per fact with candidates: share of them that pass, and whether two pass; repeats averaged."""
    partitions = components.groupby(["fact_id", "repeat"])["kept"].agg(["mean", "sum"])
    measures = pd.DataFrame(
        {"share_passing": partitions["mean"], "two_or_more": (partitions["sum"] >= 2).astype(float)}
    )
    facts = measures.groupby("fact_id").mean()
    return facts.assign(subject=subjects.loc[facts.index])


def compare_passing(
    components: Mapping[str, pd.DataFrame], subjects: pd.Series, settings: StatisticsSettings
) -> dict[str, Any]:
    """How many candidates pass the functional test, by grouping, over the facts that have candidates.

    Args:
        components: each grouping's tested components.
        subjects: the subject of every fact, indexed by fact.
    """
    tables = {grouping: table.astype({"kept": bool}) for grouping, table in components.items() if len(table)}
    frames = {grouping: _passing(table, subjects) for grouping, table in tables.items()}
    columns = [(measure, {"measure": measure}) for measure in PASSING]
    estimates, contrasts = _measured(frames, columns, settings)
    counts = {
        grouping: {"candidates": len(table), "kept": int(table["kept"].sum())} for grouping, table in tables.items()
    }
    return {"counts": counts, "estimates": estimates, "contrasts": with_holm(contrasts, "measure")}
