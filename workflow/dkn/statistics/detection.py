"""Telling true from false statements by a score: thresholds, precision and recall, AUROC, intervals, contrasts.

Subjects are what is resampled and what changes sides, as in ``dkn.statistics``: every subject's statements are counted
once, and a resample is a vector of how often each subject is in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from dkn.statistics.inference import FLIPS_PER_RESAMPLE, Contrast, Estimate, bootstrap_weights, percentile_interval

Counts = np.ndarray  # (…, 4): true positives, false positives, false negatives, true negatives


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """The mean of the shares of true statements accepted and of false ones rejected."""
    hit, false_alarm, miss, reject = np.moveaxis(counts, -1, 0)
    return (hit / (hit + miss) + reject / (reject + false_alarm)) / 2


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, zero where there is nothing."""
    return part / np.maximum(whole, 1)


def precision(counts: Counts) -> np.ndarray:
    """The share of accepted statements that are true; zero where none is accepted."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 1])


def recall(counts: Counts) -> np.ndarray:
    """The share of true statements that are accepted."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 2])


def f1(counts: Counts) -> np.ndarray:
    """The harmonic mean of precision and recall."""
    return _share(2 * counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 2])


COUNTED: dict[str, Callable[[Counts], np.ndarray]] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "balanced_accuracy": balanced_accuracy,
}


def _accepted(scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of true and of false statements that each threshold accepts."""
    true, false = (
        1 - np.searchsorted(np.sort(scores[kind]), thresholds, side="right") / kind.sum() for kind in (truth, ~truth)
    )
    return true, false


def threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of the best balanced accuracy; scores above it are accepted. The lowest of equally good ones.

    Not F1: an uninformative score would reach its best F1 by accepting everything.

    Args:
        scores, truth: (statements,), both kinds among them.
    """
    levels = np.unique(scores)
    candidates = np.concatenate(([np.nextafter(levels[0], -np.inf)], (levels[:-1] + levels[1:]) / 2, levels[-1:]))
    accepted_true, accepted_false = _accepted(scores, truth, candidates)
    return float(candidates[np.argmax(accepted_true - accepted_false)])


def roc_curve(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """The ROC curve from accepting nothing to accepting everything; between its points it is a straight line.

    Args:
        scores, truth: (statements,), both kinds among them.
    Returns:
        Columns threshold (scores above it are accepted), false_positive_rate, true_positive_rate.
    """
    levels = np.unique(scores)[::-1]
    thresholds = np.append(levels, np.nextafter(levels[-1], -np.inf))
    true, false = _accepted(scores, truth, thresholds)
    return pd.DataFrame({"threshold": thresholds, "false_positive_rate": false, "true_positive_rate": true})


def counts_by_subject(frame: pd.DataFrame) -> np.ndarray:
    """(subjects, 4) counts from columns subject, truth and accepted, in the subjects' sorted order."""
    truth, accepted = frame["truth"], frame["accepted"]
    outcomes = pd.DataFrame(
        {"tp": truth & accepted, "fp": ~truth & accepted, "fn": truth & ~accepted, "tn": ~truth & ~accepted}
    )
    return outcomes.groupby(frame["subject"], sort=True).sum().to_numpy(dtype=float)


def _won_by_subject(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(subjects, subjects) pairs of a true statement of one and a false one of the other subject that the true one
    wins (ties count half), and per subject the numbers of true and false statements.
    """
    subject, names = pd.factorize(frame["subject"], sort=True)
    truth, score = frame["truth"].to_numpy(), frame["score"].to_numpy()
    member = np.eye(len(names))[subject]
    difference = np.sign(score[truth][:, None] - score[~truth][None, :])
    won = member[truth].T @ ((difference + 1) / 2) @ member[~truth]
    return won, member[truth].sum(0), member[~truth].sum(0)


def auroc(frame: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    """The probability that a true statement scores above a false one, under weights (resamples, subjects)."""
    won, true, false = _won_by_subject(frame)
    return ((weights @ won) * weights).sum(1) / ((weights @ true) * (weights @ false))


def detection_estimates(
    frame: pd.DataFrame, resamples: int, confidence: float, draw: np.random.Generator
) -> dict[str, Estimate]:
    """Every metric of one detector with percentile bootstrap intervals over subjects.

    Args:
        frame: one row per statement: fact_id, subject, truth, score, accepted.
    """
    counts = counts_by_subject(frame)
    facts, subjects = frame["fact_id"].nunique(), len(counts)
    weights = bootstrap_weights(subjects, resamples, draw)
    found = {}
    for name, metric in COUNTED.items():
        low, high = percentile_interval(metric(weights @ counts), subjects, confidence)
        found[name] = Estimate(float(metric(counts.sum(0))), low, high, facts, subjects)
    low, high = percentile_interval(auroc(frame, weights), subjects, confidence)
    found["auroc"] = Estimate(float(auroc(frame, np.ones((1, subjects)))[0]), low, high, facts, subjects)
    return found


def detection_contrast(
    first: pd.DataFrame,
    second: pd.DataFrame,
    metric: str,
    resamples: int,
    confidence: float,
    draw: np.random.Generator,
) -> Contrast:
    """First minus second detector on the same statements, with a permutation test: under the null, the two may swap
    their decisions on a subject.

    Args:
        first, second: as for ``detection_estimates``, of the same statements.
        metric: a name of ``COUNTED``.
    """
    of, one, other = COUNTED[metric], counts_by_subject(first), counts_by_subject(second)
    subjects = len(one)
    difference = float(of(one.sum(0)) - of(other.sum(0)))
    weights = bootstrap_weights(subjects, resamples, draw)
    low, high = percentile_interval(of(weights @ one) - of(weights @ other), subjects, confidence)
    patterns = FLIPS_PER_RESAMPLE * resamples
    swapped = draw.integers(0, 2, (patterns, subjects), dtype=np.int8).astype(float)
    moved = swapped @ (other - one)
    permuted = of(one.sum(0) + moved) - of(other.sum(0) - moved)
    extreme = int((np.abs(permuted) >= abs(difference) - 1e-12).sum())
    p = (extreme + 1) / (patterns + 1) if subjects > 1 else float("nan")
    return Contrast(difference, low, high, p, first["fact_id"].nunique(), subjects)
