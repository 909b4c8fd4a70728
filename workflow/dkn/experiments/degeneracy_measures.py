"""The measures of the degeneracy experiment, per record and per fact: relative drop, nats, and drop per neuron.

The relative drop is the share of Prob, the probability of the answer, that a suppression takes away.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# The paper's relative drop in Prob, the loss of log Prob in nats, and the relative drop per suppressed neuron.
METRICS = ("drop", "nats", "drop_per_neuron")


def with_metrics(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records with a column for each of ``METRICS``.

    The drops come from log-probabilities, so that a very small Prob loses no digits.

    Args:
        records: the columns log_prob_before, log_prob_after and suppressed_neurons.
    """
    nats = records["log_prob_before"] - records["log_prob_after"]
    drop = -np.expm1(-nats)
    return records.assign(nats=nats, drop=drop, drop_per_neuron=drop / records["suppressed_neurons"])


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of every fact: one row per selection, grouping and fact.

    Subsets, and the repeats of a control, are averaged within a fact, so that every fact counts once.

    Args:
        records: as ``with_metrics`` returns them.
    Returns:
        The columns selection, grouping, fact_id and subject, and for each metric three columns: ``_partial`` is its
        mean over proper subsets, ``_full`` its value with all components suppressed, and ``_gap`` full minus partial.
    """
    full = records["suppressed_components"] == records["components"]
    keys = ["selection", "grouping", "fact_id", "subject"]
    averaged = [
        chosen.groupby(keys)[list(METRICS)].mean().add_suffix(f"_{name}")
        for name, chosen in (("partial", records[~full]), ("full", records[full]))
    ]
    joined = pd.concat(averaged, axis=1)
    for metric in METRICS:
        joined[f"{metric}_gap"] = joined[f"{metric}_full"] - joined[f"{metric}_partial"]
    return joined.reset_index()
