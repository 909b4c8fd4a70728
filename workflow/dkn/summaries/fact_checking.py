"""The summary of a fact-checking experiment: how well detectors tell true statements from false ones (docs/method.md).

A detector accepts the statements whose score exceeds a threshold, which is chosen on the statements of the training
split. Precision, recall, F1 and the other metrics are measured on the test split, and detectors are compared on the
same statements. A condition is a detector with an origin of its neurons and a wording of the statements.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from dkn.randomness import generator
from dkn.statistics.detection import AUROC, Detector, detection_contrasts, detection_estimates
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import ANSWER_PROB, DETECTORS, DKN, KN, NONE, PLM, RANDOM, RANDOM_KN

KEYS = ["detector", "neurons", "wording"]
OTHERS = {DKN: (KN, RANDOM, PLM, ANSWER_PROB), KN: (RANDOM_KN, PLM, ANSWER_PROB), PLM: (ANSWER_PROB,)}
CONTRASTED = ("balanced_accuracy", AUROC, "f1")

Conditions = dict[tuple[str, str, str], Detector]


def conditions(records: pd.DataFrame) -> Conditions:
    """Return the scores of every condition: for each (detector, neurons, wording) those of both splits.

    A condition that lacks a split is left out.

    Args:
        records: the columns of ``schemas.FACT_CHECKING``.
    """
    found = {}
    for key, frame in records.groupby(KEYS):
        training, test = (frame[frame["split"] == split] for split in ("train", "test"))
        if len(training) and len(test):
            found[key] = Detector(training, test.sort_values(["fact_id", "truth"]))
    return found


def _estimates(of: Conditions, detectors: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (detector, neurons, wording), scores in of.items():
        if detector not in detectors:
            continue
        draw = generator(settings.seed, "bootstrap/fact-checking", f"{detector}/{neurons}/{wording}")
        estimates = detection_estimates(scores, settings.resamples, settings.confidence, draw)
        about = {
            "detector": detector,
            "neurons": neurons,
            "sees_label": neurons == "own",  # the fact's own neurons were found with its true answer
            "wording": wording,
            "mean_size": float(scores.test["size"].mean()),
            "threshold": scores.threshold,
        }
        rows.extend({**about, "metric": metric, **estimate.as_dict()} for metric, estimate in estimates.items())
    return rows


def _contrasts(of: Conditions, detector: str, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return detector minus other detector, on the test facts that both score, with Holm's adjustment over all."""
    rows = []
    for (first, neurons, wording), scores in of.items():
        for other in OTHERS[detector] if first == detector else ():
            key = next((k for k in ((other, neurons, wording), (other, NONE, wording)) if k in of), None)
            pair = None if key is None else (scores.on_facts_of(of[key]), of[key].on_facts_of(scores))
            if pair is None or not len(pair[0].test):
                continue
            draw = generator(settings.seed, f"contrast/{detector}", f"{other}/{neurons}/{wording}")
            differences = detection_contrasts(*pair, settings.resamples, settings.confidence, draw)
            about = {"first": detector, "second": other, "neurons": neurons, "wording": wording}
            rows += [{**about, "metric": metric, **differences[metric].as_dict()} for metric in CONTRASTED]
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
    of = conditions(records)
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
        "estimates": _estimates(of, DETECTORS[detector], settings),
        "contrasts": _contrasts(of, detector, settings),
    }
