"""What the fact-checking records say: precision, recall, F1 on the test split at thresholds chosen on the training
split, and how detectors compare on the same statements."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dkn.randomness import generator
from dkn.statistics.detection import detection_contrast, detection_estimates, threshold
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import ANSWER_PROB, DETECTORS, DKN, KN, NONE, PLM, RANDOM

KEYS = ["detector", "neurons", "wording"]
OTHERS = {DKN: (RANDOM, KN, PLM, ANSWER_PROB), KN: (PLM, ANSWER_PROB), PLM: (ANSWER_PROB,)}
CONTRASTED = ("f1", "balanced_accuracy")

Conditions = dict[tuple[str, str, str], tuple[float, pd.DataFrame]]


def conditions(records: pd.DataFrame) -> Conditions:
    """Per detector, neurons and wording: the training split's threshold, and the test split's statements with what
    it makes of them (``accepted``). A condition that lacks one of the splits is left out.
    """
    found = {}
    for key, frame in records.groupby(KEYS):
        training, test = (frame[frame["split"] == split] for split in ("train", "test"))
        if len(training) and len(test):
            limit = threshold(training["score"].to_numpy(), training["truth"].to_numpy())
            found[key] = limit, test.assign(accepted=test["score"] > limit).sort_values(["fact_id", "truth"])
    return found


def _estimates(found: Conditions, detectors: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (detector, neurons, wording), (limit, test) in found.items():
        if detector not in detectors:
            continue
        draw = generator(settings.seed, "bootstrap/fact-checking", f"{detector}/{neurons}/{wording}")
        estimates = detection_estimates(test, settings.resamples, settings.confidence, draw)
        about = {
            "detector": detector,
            "neurons": neurons,
            "sees_label": neurons == "own",  # the fact's own neurons were found with its true answer
            "wording": wording,
            "mean_size": float(test["size"].mean()),
            "threshold": limit,
        }
        rows.extend({**about, "metric": metric, **estimate.as_dict()} for metric, estimate in estimates.items())
    return rows


def _contrasts(found: Conditions, detector: str, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """The detector minus the others, on the statements that both score, with Holm's adjustment over the summary."""
    rows = []
    for (first, neurons, wording), (_, test) in found.items():
        for other in OTHERS[detector] if first == detector else ():
            key = next((k for k in ((other, neurons, wording), (other, NONE, wording)) if k in found), None)
            if key is None:
                continue
            both = test[["fact_id", "truth"]].merge(found[key][1], on=["fact_id", "truth"])
            own = test[test["fact_id"].isin(both["fact_id"])]
            for metric in CONTRASTED if len(both) else ():
                draw = generator(settings.seed, f"contrast/{detector}", f"{other}/{neurons}/{wording}/{metric}")
                difference = detection_contrast(own, both, metric, settings.resamples, settings.confidence, draw)
                about = {"first": detector, "second": other, "neurons": neurons, "wording": wording}
                rows.append({**about, "metric": metric, **difference.as_dict()})
    return with_holm(rows)


def summarise(records: pd.DataFrame, detector: str, settings: StatisticsSettings) -> dict[str, Any]:
    """Counts, estimates and contrasts of one detector's experiment, from the records of all three experiments."""
    found = conditions(records)
    own = records[records["detector"].isin(DETECTORS[detector])]
    facts = own.drop_duplicates("fact_id")
    return {
        "counts": {
            "facts": len(facts),
            "train": int((facts["split"] == "train").sum()),
            "test": int((facts["split"] == "test").sum()),
            "with_own_neurons": int(own.loc[own["neurons"] == "own", "fact_id"].nunique()),
            "with_relation_neurons": int(own.loc[own["neurons"] == "relation", "fact_id"].nunique()),
        },
        "estimates": _estimates(found, DETECTORS[detector], settings),
        "contrasts": _contrasts(found, detector, settings),
    }
