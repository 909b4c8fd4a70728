"""The summary of a fact-checking experiment: how well detectors tell true statements from false ones (docs/method.md).

A detector accepts the statements whose score exceeds a threshold, which is chosen on the statements of the training
split. Precision, recall, F1 and the other metrics are measured on the test split, and detectors are compared on the
same statements. A condition is a detector with an origin of its neurons and a wording of the statements.
"""

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
    """Return the threshold and the judged test statements of every condition.

    Args:
        records: the columns of ``schemas.FACT_CHECKING``.
    Returns:
        For each (detector, neurons, wording) the threshold from the training split, and the test split's records with
        the column ``accepted``, which says whether the score exceeds it. A condition that lacks a split is left out.
    """
    judged = {}
    for key, frame in records.groupby(KEYS):
        training, test = (frame[frame["split"] == split] for split in ("train", "test"))
        if len(training) and len(test):
            limit = threshold(training["score"].to_numpy(), training["truth"].to_numpy())
            judged[key] = limit, test.assign(accepted=test["score"] > limit).sort_values(["fact_id", "truth"])
    return judged


def _estimates(judged: Conditions, detectors: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (detector, neurons, wording), (limit, test) in judged.items():
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


def _contrasts(judged: Conditions, detector: str, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return detector minus other detector, on the statements that both score, with Holm's adjustment over all."""
    rows = []
    for (first, neurons, wording), (_, test) in judged.items():
        for other in OTHERS[detector] if first == detector else ():
            key = next((k for k in ((other, neurons, wording), (other, NONE, wording)) if k in judged), None)
            if key is None:
                continue
            of_second = test[["fact_id", "truth"]].merge(judged[key][1], on=["fact_id", "truth"])
            of_first = test[test["fact_id"].isin(of_second["fact_id"])]
            for metric in CONTRASTED if len(of_second) else ():
                draw = generator(settings.seed, f"contrast/{detector}", f"{other}/{neurons}/{wording}/{metric}")
                difference = detection_contrast(
                    of_first, of_second, metric, settings.resamples, settings.confidence, draw
                )
                about = {"first": detector, "second": other, "neurons": neurons, "wording": wording}
                rows.append({**about, "metric": metric, **difference.as_dict()})
    return with_holm(rows)


def summarise(records: pd.DataFrame, detector: str, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the counts, estimates and contrasts of one fact-checking experiment.

    Args:
        records: the columns of ``schemas.FACT_CHECKING``, of all three fact-checking experiments of a model.
        detector: the experiment, by its main detector: dkn, kn or plm.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        ``counts`` of facts by split and kind of neurons, ``estimates`` of every metric, and ``contrasts`` of the main
        detector with others.
    """
    judged = conditions(records)
    own_records = records[records["detector"].isin(DETECTORS[detector])]
    facts = own_records.drop_duplicates("fact_id")
    return {
        "counts": {
            "facts": len(facts),
            "train": int((facts["split"] == "train").sum()),
            "test": int((facts["split"] == "test").sum()),
            "with_own_neurons": int(own_records.loc[own_records["neurons"] == "own", "fact_id"].nunique()),
            "with_relation_neurons": int(own_records.loc[own_records["neurons"] == "relation", "fact_id"].nunique()),
        },
        "estimates": _estimates(judged, DETECTORS[detector], settings),
        "contrasts": _contrasts(judged, detector, settings),
    }
