"""What the fine-tuning records say: accuracy on new, augmented and old facts, over epochs, set against set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.names import TEST
from dkn.randomness import generator
from dkn.statistics import estimate, holm, paired_contrast

# Per question: greedy exact match, Prob of the answer, and its logarithm in nats (a mean that small Prob count in).
METRICS = ("accuracy", "prob", "log_prob")
KEYS = ["neuron_set", "split", "epoch", "chosen", "fact_id", "subject"]


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """One row per (neuron set, split, epoch, fact) of the facts that chose nothing; wordings are averaged."""
    reported = records[records["role"] == TEST]
    reported = reported.assign(accuracy=reported["correct"].astype(float), prob=np.exp(reported["log_prob"]))
    return reported.groupby(KEYS)[list(METRICS)].mean().reset_index()


def _estimates(facts: pd.DataFrame, keys: list[str], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for values, frame in facts.groupby(keys):
        for metric in METRICS:
            draw = generator(settings.seed, "bootstrap/fine-tuning", f"{values}/{metric}")
            found = estimate(frame[metric], frame["subject"], settings.resamples, settings.confidence, draw)
            rows.append({**dict(zip(keys, values, strict=True)), "metric": metric, **found.as_dict()})
    return rows


def _contrasts(own: pd.DataFrame, others: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Every set of the experiment minus every other set, paired by fact; Holm's adjustment over all of them."""
    rows: dict[str, dict[str, Any]] = {}
    for (first, split), mine in own.groupby(["neuron_set", "split"]):
        for second, theirs in others[others["split"] == split].groupby("neuron_set"):
            paired = mine.merge(theirs, on=["fact_id", "subject"], suffixes=("", "_other"), validate="one_to_one")
            for metric in METRICS:
                name = f"{first}/{second}/{split}/{metric}"
                found = paired_contrast(
                    paired[metric],
                    paired[f"{metric}_other"],
                    paired["subject"],
                    settings.resamples,
                    settings.confidence,
                    generator(settings.seed, "contrast/fine-tuning", name),
                )
                rows[name] = {"first": first, "second": second, "split": split, "metric": metric, **found.as_dict()}
    adjusted = holm({name: row["p"] for name, row in rows.items()})
    return [{**row, "p_holm": adjusted[name]} for name, row in rows.items()]


def summarise(records: pd.DataFrame, others: pd.DataFrame, settings: StatisticsSettings) -> dict[str, Any]:
    """Estimates at the chosen epoch, curves over all epochs, and contrasts with the sets of other experiments.

    Args:
        records: of this experiment, columns as in ``tables.FINE_TUNING``.
        others: the same of the other fine-tuning experiments of the model.
        settings: of the statistics.
    """
    facts, rest = per_fact(records), per_fact(others)
    final = facts[facts["chosen"]]
    return {
        "estimates": _estimates(final, ["neuron_set", "split"], settings),
        "curves": _estimates(facts, ["neuron_set", "split", "epoch"], settings),
        "contrasts": _contrasts(final, rest[rest["chosen"]], settings),
    }
