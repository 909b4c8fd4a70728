"""What a record of the degeneracy experiment measures: relative drop, nats, and drop per neuron; per fact."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Per record: the paper's relative drop in Prob, the change in log Prob in nats, and the drop per suppressed neuron.
METRICS = ("drop", "nats", "drop_per_neuron")


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
