"""The comparison of NTC with every other grouping and the tested controls (docs/method.md).

Groupings are compared by their degeneracy gaps (full minus mean partial drop) and by what the functional test says of
their candidates. The tested controls consist of groups that are drawn and go through the same test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dkn.experiments.degeneracy_measures import METRICS, TEXT, Averages, per_fact, with_metrics
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import CONTROL, NTC
from dkn.summaries.by_fact import contrast_row, estimate_row, mean_over_facts, minus, paired_difference
from dkn.summaries.degeneracy_means import means

# The gap between the full and the mean partial drop, and its excess over that of random groups of the same sizes.
KINDS = ("gap", "gap_beyond_control")
# Of a fact's candidates: the mean share of Prob that one alone brings back, the share that pass the functional test,
# the number that do, and whether two or more do.
MEASURES = ("recovery", "share_passing", "bdcs", "two_or_more")


def _measured(
    frames: Mapping[str, pd.DataFrame],
    columns: Sequence[tuple[str, dict[str, str]]],
    settings: StatisticsSettings,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the estimates of every grouping, and the contrasts of NTC with every other grouping.

    Args:
        frames: for each grouping one row per fact, indexed by fact, with a column ``subject``.
        columns: the columns to estimate, each with the labels of its rows.
        settings: the number of resamples, the confidence and the seed.
    """
    estimates, contrasts = [], []
    for column, labels in columns:
        for grouping, frame in frames.items():
            if column not in frame:
                continue  # a tested control has no control of its own
            name = "/".join(labels.values())
            mean = mean_over_facts(frame, column, settings, "bootstrap/comparison", f"{grouping}/{name}/{column}")
            estimates.append({"grouping": grouping, **labels, **mean})
            if grouping != NTC and NTC in frames:
                key = f"{NTC}/{grouping}/{name}/{column}"
                difference = paired_difference(frames[NTC], frame, column, settings, "contrast", key)
                contrasts.append({"first": NTC, "second": grouping, **labels, **difference})
    return estimates, contrasts


def _gaps(records: pd.DataFrame, grouping: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each selection with one row per fact: every metric's gap and, if there is a control, the gap beyond it."""
    if records.empty:
        return
    for selection, frame in per_fact(with_metrics(records)).groupby("selection"):
        method, control = (frame[frame["grouping"] == name].set_index("fact_id") for name in (grouping, CONTROL))
        if not control.empty:
            for metric in METRICS:
                beyond = method[f"{metric}_gap"] - control[f"{metric}_gap"]
                method[f"{metric}_gap_beyond_control"] = beyond
        yield str(selection), method


def _compared_otherwise(
    records: Mapping[str, pd.DataFrame], settings: StatisticsSettings, averages: Averages
) -> dict[str, Any]:
    """Compare the groupings by their gaps where not every fact and every record counts once."""
    of = {}
    for grouping, table in records.items():
        for (selection, name), combinations in means(with_metrics(table, averages), averages).items():
            if name == grouping:
                of[selection, grouping] = combinations
    estimates, contrasts = [], []
    for (selection, grouping), combinations in sorted(of.items()):
        for (metric, kind), combination in combinations.items():
            if kind not in KINDS:
                continue
            about = {"selection": selection, "metric": metric, "kind": kind}
            row = estimate_row(combination, settings, f"{grouping}{about}")
            estimates.append({"grouping": grouping, **about, **row})
            ntc = of.get((selection, NTC), {}).get((metric, kind))
            if grouping != NTC and ntc is not None:
                row = contrast_row(minus(ntc, combination), settings, f"{NTC}/{grouping}{about}")
                contrasts.append({"first": NTC, "second": grouping, **about, **row})
    return {"estimates": estimates, "contrasts": with_holm(contrasts, "selection", "metric", "kind")}


def compare_gaps(
    records: Mapping[str, pd.DataFrame], settings: StatisticsSettings, averages: Averages = TEXT
) -> dict[str, Any]:
    """Compare the groupings by their degeneracy gaps.

    The contrasts are paired over the facts in which both groupings have two components. Holm's adjustment runs over the
    other groupings, separately for each selection, metric and kind.

    Args:
        records: the records of each grouping, with the columns of ``schemas.DEGENERACY``.
        settings: the number of resamples, the confidence and the seed.
        averages: how drops are averaged.
    Returns:
        Lists of rows: ``estimates``, and ``contrasts`` of NTC with each other grouping.
    """
    if averages != TEXT:
        return _compared_otherwise(records, settings, averages)
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
        for rows, all_rows in zip(_measured(frames[selection], columns, settings), (estimates, contrasts), strict=True):
            all_rows.extend(rows)
    return {"estimates": estimates, "contrasts": with_holm(contrasts, "selection", "metric", "kind")}


def _tested(components: pd.DataFrame, subjects: pd.Series) -> pd.DataFrame:
    """Return ``MEASURES`` of each fact with candidates; draws of a control are averaged.

    The recovery is NaN where suppressing all of the fact's knowledge neurons does not lower Prob.
    """
    draws = components.groupby(["fact_id", "repeat"])
    passing = draws["kept"].sum()
    measures = pd.DataFrame(
        {
            "recovery": draws["recovery"].mean(),
            "share_passing": draws["kept"].mean(),
            "bdcs": passing.astype(float),
            "two_or_more": (passing >= 2).astype(float),
        }
    )
    facts = measures.groupby("fact_id").mean()
    return facts.assign(subject=subjects.loc[facts.index])


def compare_tests(
    components: Mapping[str, pd.DataFrame], subjects: pd.Series, settings: StatisticsSettings
) -> dict[str, Any]:
    """Compare what the functional test says of the groupings' candidates, over the facts with candidates.

    Against a tested control, whose groups are as many and as large as NTC's, the contrast in recovery says whether
    NTC's components express a fact better than other groups of the same knowledge neurons.

    Args:
        components: the tested components of each grouping, with the columns of ``schemas.COMPONENTS``.
        subjects: the subject of every fact, indexed by fact.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        ``counts`` of candidates and of kept ones by grouping, and lists of rows by measure (one of ``MEASURES``):
        ``estimates``, and ``contrasts`` of NTC with each other grouping. Facts without a recovery do not count there.
    """
    tables = {
        grouping: table.astype({"kept": bool, "recovery": float})
        for grouping, table in components.items()
        if len(table)
    }
    frames = {grouping: _tested(table, subjects) for grouping, table in tables.items()}
    estimates: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    for measure in MEASURES:
        defined = {grouping: frame[frame[measure].notna()] for grouping, frame in frames.items()}
        found = _measured(defined, [(measure, {"measure": measure})], settings)
        for rows, all_rows in zip(found, (estimates, contrasts), strict=True):
            all_rows.extend(rows)
    counts = {
        grouping: {"candidates": len(table), "kept": int(table["kept"].sum())} for grouping, table in tables.items()
    }
    return {"counts": counts, "estimates": estimates, "contrasts": with_holm(contrasts, "measure")}
