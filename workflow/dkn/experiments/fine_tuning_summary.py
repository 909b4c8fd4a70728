"""What the fine-tuning records say: accuracy on new, augmented and old facts, over epochs, set against set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.names import DRAWN, TEST
from dkn.randomness import generator
from dkn.statistics import beyond_draws, estimate, holm, paired_contrast

# Per question: greedy exact match, Prob of the answer, and its logarithm in nats (a mean that small Prob count in).
METRICS = ("accuracy", "prob", "log_prob")
KEYS = ["neuron_set", "draw", "split", "epoch", "chosen", "fact_id", "subject"]


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """One row per (neuron set, draw, split, epoch, fact) of the facts that chose nothing; wordings are averaged."""
    reported = records[records["role"] == TEST]
    reported = reported.assign(accuracy=reported["correct"].astype(float), prob=np.exp(reported["log_prob"]))
    return reported.groupby(KEYS)[list(METRICS)].mean().reset_index()


def over_draws(facts: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Random draws of one set averaged, so that every fact counts once: one row per set, split, ``keys`` and fact."""
    groups = ["neuron_set", "split", *keys, "fact_id", "subject"]
    return facts.groupby(groups)[list(METRICS)].mean().reset_index()


def _estimates(facts: pd.DataFrame, keys: list[str], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for values, frame in facts.groupby(keys):
        for metric in METRICS:
            draw = generator(settings.seed, "bootstrap/fine-tuning", f"{values}/{metric}")
            found = estimate(frame[metric], frame["subject"], settings.resamples, settings.confidence, draw)
            rows.append({**dict(zip(keys, values, strict=True)), "metric": metric, **found.as_dict()})
    return rows


def _draw_means(final: pd.DataFrame, name: str, split: str, metric: str) -> np.ndarray:
    """(draws,) the mean over facts of every random draw of a set; of a set that is not random, its one mean."""
    chosen = final[(final["neuron_set"] == name) & (final["split"] == split)]
    return chosen.groupby("draw")[metric].mean().to_numpy()


def _p_draws(first: tuple[str, np.ndarray], second: tuple[str, np.ndarray]) -> float:
    """Whether the set that is not random lies beyond the draws of the one that is; NaN where neither is."""
    for (name, draws), (_, other) in ((first, second), (second, first)):
        if name in DRAWN:
            return beyond_draws(float(other.mean()), draws)
    return float("nan")


def _contrasts(own: pd.DataFrame, others: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Every set of the experiment minus every other set, paired by fact, at the chosen epochs.

    Against random sets a difference must hold over facts (``p_facts``) and exceed what draws differ by (``p_draws``);
    ``p`` is the larger of the two. Holm's adjustment runs over all contrasts.
    """
    rows: dict[str, dict[str, Any]] = {}
    averaged = over_draws(others)
    for (first, split), mine in over_draws(own).groupby(["neuron_set", "split"]):
        for second, theirs in averaged[averaged["split"] == split].groupby("neuron_set"):
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
                p_draws = _p_draws(
                    (first, _draw_means(own, first, split, metric)),
                    (second, _draw_means(others, second, split, metric)),
                )
                rows[name] = {
                    **{"first": first, "second": second, "split": split, "metric": metric},
                    **found.as_dict(),
                    "p": float(np.nanmax([found.p, p_draws])) if np.isfinite(found.p) else found.p,
                    "p_facts": found.p,
                    "p_draws": p_draws,
                }
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
        "estimates": _estimates(over_draws(final), ["neuron_set", "split"], settings),
        "draws": final.groupby(["neuron_set", "draw", "split"])[list(METRICS)].mean().reset_index().to_dict("records"),
        "curves": _estimates(over_draws(facts, "epoch"), ["neuron_set", "split", "epoch"], settings),
        "contrasts": _contrasts(final, rest[rest["chosen"]], settings),
    }
