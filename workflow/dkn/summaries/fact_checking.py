"""The summary of a fact-checking experiment: how well detectors tell true statements from false ones (docs/method.md).

A detector accepts the statements whose score exceeds a threshold, which is chosen on the statements of the training
split; or those whose score is at least a fixed threshold. Precision, recall, F1 and the other metrics are measured on
the test split, and detectors are compared on the same statements. A condition is a detector with an origin of its
neurons and a wording of the statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.statistics.detection import AUROC, Detector, Scores, by_draw, detection_contrasts, detection_estimates
from dkn.statistics.draws import Part, of_one_more, of_two_sides, with_draws
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import ANSWER_PROB, DETECTORS, DKN, KN, NONE, PLM, RANDOM, RANDOM_KN

KEYS = ["detector", "neurons", "wording"]
SCORED = ["fact_id", "subject", "truth", "size", "score"]  # of a statement, beside its condition, split and draw
USED = [*KEYS, "draw", "split", *SCORED]  # what a summary needs of ``schemas.FACT_CHECKING``
OTHERS = {DKN: (KN, RANDOM, PLM, ANSWER_PROB), KN: (RANDOM_KN, PLM, ANSWER_PROB), PLM: (ANSWER_PROB,)}
CONTRASTED = ("balanced_accuracy", AUROC, "f1")
LIKE = {DKN: RANDOM, KN: RANDOM_KN}  # the drawn sets of the same sizes, of which a set that is not drawn is one more
# The fixed thresholds of the released code: a statement with a lower mean attribution is false.
RELEASED_THRESHOLDS = {DKN: 5e-7, RANDOM: 5e-7, KN: 5e-6, RANDOM_KN: 5e-6}
JUDGEMENT_THRESHOLD = 0.5  # of PLM where its scores are judgements, 0 or 1, see ``fact_checking_plm.judgements``


@dataclass(frozen=True)
class ThresholdSettings:
    """Which detectors have a fixed threshold; the second values are the released code's.

    Attributes:
        attribution: ``chosen`` on training subjects, or ``fixed``: those of neurons have ``RELEASED_THRESHOLDS``.
        judgement: ``chosen``, or ``fixed`` between the two scores that a judgement of the model gives.
    Raises:
        UserError: a value is neither of the two.
    """

    attribution: str = "chosen"
    judgement: str = "chosen"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value not in ("chosen", "fixed"):
                raise UserError(f"unknown threshold of {name} {value!r}; allowed: chosen, fixed")

    def of_detectors(self) -> dict[str, float]:
        """Return the fixed thresholds by detector."""
        fixed = dict(RELEASED_THRESHOLDS) if self.attribution == "fixed" else {}
        return fixed | ({PLM: JUDGEMENT_THRESHOLD} if self.judgement == "fixed" else {})


Conditions = dict[tuple[str, str, str], list[Scores]]


def conditions(records: pd.DataFrame, thresholds: Mapping[str, float] | None = None) -> Conditions:
    """Return the scores of every condition: for each (detector, neurons, wording) those of all its draws.

    A condition that lacks a split is left out.

    Args:
        records: the columns ``USED``.
        thresholds: fixed thresholds by detector: it accepts the scores that are at least this. The training split
            chooses those of all other detectors.
    Raises:
        UserError: there is no detector of that name.
    """
    fixed, known = dict(thresholds or {}), [name for names in DETECTORS.values() for name in names]
    for name in fixed:
        if name not in known:
            raise UserError(f"a threshold of the unknown detector {name!r}; allowed: {', '.join(known)}")
    found: Conditions = {}
    for (*key, _draw), frame in records.groupby([*KEYS, "draw"]):
        training, test = (frame.loc[frame["split"] == split, SCORED] for split in ("train", "test"))
        if len(training) and len(test):
            scores = Scores(training, test.sort_values(["fact_id", "truth"]), fixed.get(key[0]))
            found.setdefault(tuple(key), []).append(scores)
    return found


def _estimates(of: Conditions, detectors: tuple[str, ...], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (detector, neurons, wording), draws in of.items():
        if detector not in detectors:
            continue
        draw = generator(settings.seed, "bootstrap/fact-checking", f"{detector}/{neurons}/{wording}")
        estimates = detection_estimates(draws, settings.resamples, settings.confidence, draw)
        about = {
            "detector": detector,
            "neurons": neurons,
            "sees_label": neurons == "own",  # the fact's own neurons were found with its true answer
            "wording": wording,
            "draws": len(draws),
            "mean_size": float(np.mean([scores.test["size"].mean() for scores in draws])),
            "threshold": float(np.mean([scores.stated_threshold for scores in draws])),
        }
        rows.extend({**about, "metric": metric, **estimate.as_dict()} for metric, estimate in estimates.items())
    return rows


def _of_draws(first: Detector, second: Detector, like: Sequence[Detector], metric: str) -> list[Part]:
    """Return the parts of the variance of a difference between detectors that draws make, if any are known.

    Where one of the detectors has several draws, the other counts as one more draw. Where neither has, each set of
    neurons counts as one more of the drawn sets of its sizes, whose draws ``like`` has.
    """
    if max(len(first), len(second)) > 1:
        return of_two_sides(by_draw(first)[metric], by_draw(second)[metric])
    if not like or min(map(len, like)) < 2:
        return []
    values = [by_draw(detector)[metric] for detector in like]
    return [of_one_more(values[0] if len(values) == 1 else values[0] - values[1])]


def _differences(
    first: Detector, second: Detector, like: Sequence[Detector], settings: StatisticsSettings, key: str
) -> dict[str, Any]:
    """Return a row of numbers for each metric of ``CONTRASTED``: the first detector minus the second."""
    draw = generator(settings.seed, "contrast/fact-checking", key)
    contrasts = detection_contrasts(first, second, settings.resamples, settings.confidence, draw)
    rows = {}
    for metric in CONTRASTED:
        row, parts = contrasts[metric].as_dict(), _of_draws(first, second, like, metric)
        rows[metric] = with_draws(row, parts, settings.confidence) if parts else row
        rows[metric] |= {"first_draws": len(first), "second_draws": len(second)}
    return rows


def _contrasts(of: Conditions, detector: str, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return detector minus other detector, on the test facts that both score, with Holm's adjustment over all."""
    rows = []
    for (first, neurons, wording), draws in of.items():
        for other in OTHERS[detector] if first == detector else ():
            key = next((k for k in ((other, neurons, wording), (other, NONE, wording)) if k in of), None)
            if key is None:
                continue
            own = [scores.on_facts_of(of[key][0]) for scores in draws]
            rival = [scores.on_facts_of(draws[0]) for scores in of[key]]
            drawn = [of.get((LIKE.get(name, ""), neurons, wording), []) for name in (first, other) if name in LIKE]
            like = [[scores.on_facts_of(own[0]) for scores in draws_of_set] for draws_of_set in drawn]
            if len(own[0].test):
                differences = _differences(own, rival, like, settings, f"{detector}/{other}/{neurons}/{wording}")
                about = {"first": detector, "second": other, "neurons": neurons, "wording": wording}
                rows += [{**about, "metric": metric, **row} for metric, row in differences.items()]
    return with_holm(rows)


def summarise(
    records: pd.DataFrame,
    detector: str,
    settings: StatisticsSettings,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the counts, estimates and contrasts of one fact-checking experiment.

    Args:
        records: the columns ``USED``, of all three fact-checking experiments of a model.
        detector: the experiment, by its main detector: dkn, kn or plm.
        settings: the number of resamples, the confidence and the seed.
        thresholds: fixed thresholds by detector, as ``conditions`` takes them.
    Returns:
        ``counts`` of facts by split and kind of neurons, ``estimates`` of every metric, and ``contrasts`` of the main
        detector with others.
    Raises:
        UserError: a threshold is of no detector.
    """
    of = conditions(records, thresholds)
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
