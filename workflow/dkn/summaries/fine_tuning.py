"""What the fine-tuning records say: accuracy on new, augmented and old facts, over epochs, set against set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dkn.statistics.inference import StatisticsSettings, beyond_draws, with_holm
from dkn.study.names import DRAWN, TEST
from dkn.summaries.by_fact import mean_over_facts, paired_difference

# Per question: greedy exact match, Prob of the answer, and its logarithm in nats (a mean that small Prob count in).
METRICS = ("accuracy", "prob", "log_prob")
KEYS = ["neuron_set", "draw", "split", "epoch", "chosen", "fact_id", "subject"]


# Of a set's report, what is the same in every run on one machine; seconds and memory stay in training.json.
STATED = (
    "neuron_set",
    "draw",
    "neurons",
    "trained_parameters",
    "optimiser_state_bytes",
    "learning_rate",
    "learning_rate_at_edge",
    "epoch",
)


def whether_run(training: Mapping[str, Any]) -> dict[str, Any]:
    """How many new facts there were, and why nothing was trained where nothing was; ``training`` is training.json."""
    return {key: training[key] for key in ("new_facts", "minimum", "not_run") if key in training}


def set_reports(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What training.json states of every neuron set and draw, without what differs between runs."""
    return [{key: part[key] for key in STATED} for part in training.get("sets", [])]


def question_counts(records: pd.DataFrame) -> dict[str, int]:
    """How many facts are asked for, by split and role, as ``split/role``."""
    asked = records[records["epoch"] == 0].drop_duplicates(["role", "split", "fact_id"])
    return {f"{split}/{role}": len(rows) for (split, role), rows in asked.groupby(["split", "role"])}


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
            mean = mean_over_facts(frame, metric, settings, "bootstrap/fine-tuning", f"{values}/{metric}")
            rows.append({**dict(zip(keys, values, strict=True)), "metric": metric, **mean})
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
    rows = []
    averaged = over_draws(others)
    for (first, split), mine in over_draws(own).groupby(["neuron_set", "split"]):
        for second, theirs in averaged[averaged["split"] == split].groupby("neuron_set"):
            pair = mine.set_index("fact_id"), theirs.set_index("fact_id")
            for metric in METRICS:
                key = f"{first}/{second}/{split}/{metric}"
                found = paired_difference(*pair, metric, settings, "contrast/fine-tuning", key)
                p_draws = _p_draws(
                    (first, _draw_means(own, first, split, metric)),
                    (second, _draw_means(others, second, split, metric)),
                )
                about = {"first": first, "second": second, "split": split, "metric": metric}
                p = float(np.nanmax([found["p"], p_draws])) if np.isfinite(found["p"]) else found["p"]
                rows.append({**about, **found, "p": p, "p_facts": found["p"], "p_draws": p_draws})
    return with_holm(rows)


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
