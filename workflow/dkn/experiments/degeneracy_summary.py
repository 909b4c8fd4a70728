"""What the degeneracy records say: partial against full drop, by components and by neurons, against the controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.names import CONTROLS
from dkn.randomness import generator
from dkn.statistics import Contrast, estimate, holm, paired_contrast

# Per record: the paper's relative drop in Prob, the change in log Prob in nats, and the drop per suppressed neuron.
METRICS = ("drop", "nats", "drop_per_neuron")
CURVE_METRICS = ("drop", "nats")  # drops per neuron are compared at matched numbers of neurons


@dataclass(frozen=True)
class StatisticsSettings:
    """Bootstrap and permutation resamples, the intervals' confidence, and the study's seed."""

    resamples: int
    confidence: float
    seed: int


def with_metrics(records: pd.DataFrame) -> pd.DataFrame:
    """Records with the three metrics; drops come from log-probabilities, so tiny Prob lose nothing."""
    nats = records["log_prob_before"] - records["log_prob_after"]
    drop = -np.expm1(-nats)
    return records.assign(nats=nats, drop=drop, drop_per_neuron=drop / records["suppressed_neurons"])


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """One row per (selection, grouping, fact): each metric's mean over proper subsets, under full suppression, and the
    gap between the two. Repeats and subsets are averaged first, so every fact counts once.
    """
    full = records["suppressed_components"] == records["components"]
    keys = ["selection", "grouping", "fact_id", "subject"]
    parts = [
        part.groupby(keys)[list(METRICS)].mean().add_suffix(f"_{name}")
        for name, part in (("partial", records[~full]), ("full", records[full]))
    ]
    joined = pd.concat(parts, axis=1)
    for metric in METRICS:
        joined[f"{metric}_gap"] = joined[f"{metric}_full"] - joined[f"{metric}_partial"]
    return joined.reset_index()


def _estimates(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for (selection, grouping), frame in facts.groupby(["selection", "grouping"]):
        for metric in METRICS:
            for kind in ("partial", "full", "gap"):
                column = f"{metric}_{kind}"
                draw = generator(settings.seed, f"bootstrap/{selection}/{grouping}", column)
                found = estimate(frame[column], frame["subject"], settings.resamples, settings.confidence, draw)
                rows.append(
                    {
                        "selection": selection,
                        "grouping": grouping,
                        "metric": metric,
                        "kind": kind,
                        **found.as_dict(),
                    }
                )
    return rows


def _curves(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Mean drop by number of components and number suppressed; one value per fact and number suppressed."""
    keys = ["selection", "grouping", "components", "suppressed_components"]
    means = records.groupby([*keys, "fact_id", "subject"])[list(CURVE_METRICS)].mean().reset_index()
    rows = []
    for values, frame in means.groupby(keys):
        where = dict(zip(keys, values, strict=True))
        for metric in CURVE_METRICS:
            draw = generator(settings.seed, "bootstrap/curve", f"{values}/{metric}")
            found = estimate(frame[metric], frame["subject"], settings.resamples, settings.confidence, draw)
            rows.append({**where, "metric": metric, **found.as_dict()})
    return rows


def _by_neurons(records: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Mean drop by number of suppressed neurons, in bins that double: 1, 2, 3-4, 5-8, …; one value per fact and bin.

    A method and its control have the same numbers of neurons, so they can be compared bin by bin.
    """
    most = 2 ** np.ceil(np.log2(records["suppressed_neurons"])).astype(int)
    keys = ["selection", "grouping", "most_neurons"]
    columns = ["suppressed_neurons", *METRICS]
    means = records.assign(most_neurons=most).groupby([*keys, "fact_id", "subject"])[columns].mean().reset_index()
    rows = []
    for values, frame in means.groupby(keys):
        where = {**dict(zip(keys, values, strict=True)), "mean_neurons": float(frame["suppressed_neurons"].mean())}
        for metric in METRICS:
            draw = generator(settings.seed, "bootstrap/neurons", f"{values}/{metric}")
            found = estimate(frame[metric], frame["subject"], settings.resamples, settings.confidence, draw)
            rows.append({**where, "metric": metric, **found.as_dict()})
    return rows


def contrast(
    name: str, first: pd.DataFrame, second: pd.DataFrame, column: str, settings: StatisticsSettings
) -> Contrast:
    """First minus second over the facts that both have, paired; frames are indexed by fact, ``name`` keys the draws."""
    facts = first.index.intersection(second.index, sort=True)
    draw = generator(settings.seed, "contrast", f"{name}/{column}")
    return paired_contrast(
        first.loc[facts, column],
        second.loc[facts, column],
        first.loc[facts, "subject"],
        settings.resamples,
        settings.confidence,
        draw,
    )


def _contrasts(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Method minus each control, paired by fact, with Holm's adjustment over all contrasts of the summary."""
    rows: dict[str, dict[str, Any]] = {}
    frames = {key: frame.set_index("fact_id") for key, frame in facts.groupby(["selection", "grouping"])}
    for selection, grouping in frames:
        for control in CONTROLS:
            if grouping in CONTROLS or (selection, control) not in frames:
                continue
            for metric in METRICS:
                for kind in ("partial", "full", "gap"):
                    name = f"{selection}/{grouping}/{control}"
                    pair = frames[selection, grouping], frames[selection, control]
                    found = contrast(name, *pair, f"{metric}_{kind}", settings)
                    rows[f"{name}/{metric}_{kind}"] = {
                        "selection": selection,
                        "first": grouping,
                        "second": control,
                        "metric": metric,
                        "kind": kind,
                        **found.as_dict(),
                    }
    adjusted = holm({name: row["p"] for name, row in rows.items()})
    return [{**row, "p_holm": adjusted[name]} for name, row in rows.items()]


def summarise(records: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Estimates, curves and contrasts from records with columns as in ``tables.DEGENERACY``."""
    measured = with_metrics(records)
    if measured.empty:
        return {"estimates": [], "curves": [], "by_neurons": [], "contrasts": []}
    facts = per_fact(measured)
    return {
        "estimates": _estimates(facts, settings),
        "curves": _curves(measured, settings),
        "by_neurons": _by_neurons(measured, settings),
        "contrasts": _contrasts(facts, settings),
    }
