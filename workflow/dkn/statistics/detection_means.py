"""The metrics of detectors as weighted means over facts, so that they can be combined (docs/audit.md).

The threshold counts as given. Every fact has a true and a false statement. Balanced accuracy is a mean over facts, F1 a
mean in which a fact weighs by its hits, misses and false alarms. The AUROC is the mean of what every fact adds to it:
the share of false statements below its true one, and of true ones above its false one, less the AUROC itself (DeLong et
al. 1988).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dkn.statistics.detection import AUROC, Detector, Scores
from dkn.statistics.weighted import Combination, WeightedMean


def _placements(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (scores,) the share of ``others`` that lie below each score; ties count half."""
    ranks = rankdata(np.concatenate((scores, others)))[: len(scores)] - rankdata(scores)
    return ranks / len(others)


def _of_scores(scores: Scores, metric: str) -> WeightedMean:
    """Return a metric of one draw of a detector on its test statements."""
    statements = scores.test.sort_values(["fact_id", "truth"])
    subjects = statements.groupby("fact_id")["subject"].first()
    of_truth = {bool(truth): frame.set_index("fact_id")["score"] for truth, frame in statements.groupby("truth")}
    true, false = (of_truth[truth].reindex(subjects.index) for truth in (True, False))
    if metric == AUROC:
        above = _placements(true.to_numpy(), false.to_numpy())
        below = 1 - _placements(false.to_numpy(), true.to_numpy())
        return WeightedMean.of(pd.Series(above + below - above.mean(), index=subjects.index), subjects)
    hit, alarm = (part > scores.threshold for part in (true, false))
    if metric == "balanced_accuracy":
        return WeightedMean.of((hit.astype(float) + ~alarm) / 2, subjects)
    weight = 2.0 * hit + alarm + ~hit
    return WeightedMean.of((2 * hit / weight).where(weight > 0, 0.0), subjects, weight)


def detector_mean(detector: Detector, metric: str) -> Combination:
    """Return a metric of a detector, the mean over its draws.

    Args:
        detector: the draws; every test fact has one true and one false statement.
        metric: ``balanced_accuracy``, ``f1`` or ``auroc``.
    Raises:
        ValueError: the metric is another one.
    """
    if metric not in ("balanced_accuracy", "f1", AUROC):
        raise ValueError(f"no weighted mean gives {metric!r}")
    return [(1 / len(detector), _of_scores(scores, metric)) for scores in detector]
