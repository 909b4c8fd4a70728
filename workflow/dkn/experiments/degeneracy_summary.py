"""What the degeneracy records say: partial against full drop, by number of components, against the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.names import CONTROL
from dkn.randomness import generator
from dkn.statistics import Contrast, estimate, holm, paired_contrast

# Per record: the paper's relative drop in Prob, the change in log Prob in nats, and the drop per suppressed neuron.
METRICS = ("drop", "nats", "drop_per_neuron")


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
    means = records.groupby([*keys, "fact_id", "subject"])[list(METRICS)].mean().reset_index()
    rows = []
    for values, frame in means.groupby(keys):
        where = dict(zip(keys, values, strict=True))
        for metric in METRICS:
            draw = generator(settings.seed, "bootstrap/curve", f"{values}/{metric}")
            found = estimate(frame[metric], frame["subject"], settings.resamples, settings.confidence, draw)
            rows.append({**where, "metric": metric, **found.as_dict()})
    return rows


def contrast(
    name: str, method: pd.Series, control: pd.Series, subjects: pd.Series, settings: StatisticsSettings
) -> Contrast:
    """Method minus control, paired by fact; ``name`` (selection/grouping/column) keys the random draws."""
    draw = generator(settings.seed, "contrast", name)
    return paired_contrast(method, control, subjects, settings.resamples, settings.confidence, draw)


def _contrasts(facts: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Method minus control, paired by fact, with Holm's adjustment over all contrasts of the setting."""
    rows: dict[str, dict[str, Any]] = {}
    for selection, frame in facts.groupby("selection"):
        for grouping in sorted(set(frame["grouping"]) - {CONTROL}):
            method = frame[frame["grouping"] == grouping].set_index("fact_id")
            control = frame[frame["grouping"] == CONTROL].set_index("fact_id").loc[method.index]
            for metric in METRICS:
                for kind in ("partial", "full", "gap"):
                    column = f"{metric}_{kind}"
                    name = f"{selection}/{grouping}/{column}"
                    found = contrast(name, method[column], control[column], method["subject"], settings)
                    rows[name] = {
                        "selection": selection,
                        "first": grouping,
                        "second": CONTROL,
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
        return {"estimates": [], "curves": [], "contrasts": []}
    facts = per_fact(measured)
    return {
        "estimates": _estimates(facts, settings),
        "curves": _curves(measured, settings),
        "contrasts": _contrasts(facts, settings),
    }
