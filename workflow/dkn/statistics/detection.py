"""Metrics of detectors, which tell true from false statements by a score, with intervals and contrasts.

A detector accepts the statements whose score exceeds its threshold. The bootstrap resamples subjects, and permutation
tests swap the decisions on all statements of a subject, as in ``inference``: the statements of a subject are not
independent. Every subject's statements are counted once; a resample is a vector of how often it contains each subject.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from dkn.statistics.inference import FLIPS_PER_RESAMPLE, Contrast, Estimate, bootstrap_weights, percentile_interval

Counts = np.ndarray  # (…, 4) numbers of true positives, false positives, false negatives and true negatives


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """Return (…) the mean of two shares: of the true statements that are accepted, and of the false ones rejected."""
    hit, false_alarm, miss, reject = np.moveaxis(counts, -1, 0)
    return (hit / (hit + miss) + reject / (reject + false_alarm)) / 2


def _share(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return numerator / denominator for counts, and zero where the denominator is zero."""
    return numerator / np.maximum(denominator, 1)


def precision(counts: Counts) -> np.ndarray:
    """Return (…) the share of the accepted statements that are true; zero where none is accepted."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 1])


def recall(counts: Counts) -> np.ndarray:
    """Return (…) the share of the true statements that are accepted; zero where none is true."""
    return _share(counts[..., 0], counts[..., 0] + counts[..., 2])


def f1(counts: Counts) -> np.ndarray:
    """Return (…) the harmonic mean of precision and recall; zero where both are zero."""
    return _share(2 * counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 2])


COUNTED: dict[str, Callable[[Counts], np.ndarray]] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "balanced_accuracy": balanced_accuracy,
}


def _accepted(scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays (thresholds,): the shares of true and of false statements that each threshold accepts."""
    true, false = (
        1 - np.searchsorted(np.sort(scores[kind]), thresholds, side="right") / kind.sum() for kind in (truth, ~truth)
    )
    return true, false


def threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold with the best balanced accuracy, the lowest of equally good ones.

    Balanced accuracy decides and not F1, because a score without information reaches its best F1 by accepting
    everything. Scores above the threshold are accepted.

    Args:
        scores: (statements,) finite numbers.
        truth: (statements,) whether each statement is true; both kinds must be there.
    """
    levels = np.unique(scores)
    candidates = np.concatenate(([np.nextafter(levels[0], -np.inf)], (levels[:-1] + levels[1:]) / 2, levels[-1:]))
    accepted_true, accepted_false = _accepted(scores, truth, candidates)
    return float(candidates[np.argmax(accepted_true - accepted_false)])


def roc_curve(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return the points of the ROC (receiver operating characteristic) curve; between them it is a straight line.

    Args:
        scores: (statements,) finite numbers.
        truth: (statements,) whether each statement is true; both kinds must be there.
    Returns:
        The columns threshold (scores above it are accepted), false_positive_rate and true_positive_rate, from accepting
        nothing to accepting everything.
    """
    levels = np.unique(scores)[::-1]
    thresholds = np.append(levels, np.nextafter(levels[-1], -np.inf))
    true, false = _accepted(scores, truth, thresholds)
    return pd.DataFrame({"threshold": thresholds, "false_positive_rate": false, "true_positive_rate": true})


def counts_by_subject(frame: pd.DataFrame) -> np.ndarray:
    """Return (subjects, 4) counts of statements, as in ``Counts``, with the subjects in sorted order.

    Args:
        frame: one row per statement, with columns subject, truth and accepted.
    """
    truth, accepted = frame["truth"], frame["accepted"]
    outcomes = pd.DataFrame(
        {"tp": truth & accepted, "fp": ~truth & accepted, "fn": truth & ~accepted, "tn": ~truth & ~accepted}
    )
    return outcomes.groupby(frame["subject"], sort=True).sum().to_numpy(dtype=float)


def _won_by_subject(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the AUROC of any resample of the subjects follows from.

    Returns:
        (subjects, subjects) how many pairs of a true statement of the row's subject and a false statement of the
        column's subject the true statement wins by its score (ties count half); and twice (subjects,), how many true
        and how many false statements each subject has.
    """
    subject, names = pd.factorize(frame["subject"], sort=True)
    truth, score = frame["truth"].to_numpy(), frame["score"].to_numpy()
    member = np.eye(len(names))[subject]
    difference = np.sign(score[truth][:, None] - score[~truth][None, :])
    won = member[truth].T @ ((difference + 1) / 2) @ member[~truth]
    return won, member[truth].sum(0), member[~truth].sum(0)


def auroc(frame: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    """Return (resamples,) the area under the ROC curve: the probability that a true statement outscores a false one.

    Args:
        frame: one row per statement, with columns subject, truth and score.
        weights: (resamples, subjects) how often each subject counts, with the subjects in sorted order.
    """
    won, true, false = _won_by_subject(frame)
    return ((weights @ won) * weights).sum(1) / ((weights @ true) * (weights @ false))


def without_each(subjects: int) -> np.ndarray:
    """Return (subjects, subjects) weights, as ``auroc`` takes them, of the samples that lack one subject each."""
    return 1 - np.eye(subjects)


def jackknife_error(without: np.ndarray) -> float:
    """Return the standard error of a number that is no mean, by the jackknife.

    Args:
        without: (subjects,) the number without each subject.
    Returns:
        The standard error; NaN for fewer than two subjects, or where the number is undefined without one of them.
    """
    subjects = len(without)
    if subjects < 2:
        return float("nan")
    return float(np.sqrt((subjects - 1) / subjects * ((without - without.mean()) ** 2).sum()))


def detection_estimates(
    frame: pd.DataFrame, resamples: int, confidence: float, draw: np.random.Generator
) -> dict[str, Estimate]:
    """Return every metric of one detector, with percentile bootstrap intervals over subjects.

    Args:
        frame: one row per statement, with columns fact_id, subject, truth, score and accepted.
        resamples: the number of bootstrap resamples.
        confidence: the confidence of the intervals, between 0 and 1.
        draw: the source of the resamples.
    Returns:
        An estimate for each metric of ``COUNTED``, and for ``auroc``.
    """
    counts = counts_by_subject(frame)
    facts, subjects = frame["fact_id"].nunique(), len(counts)
    weights = bootstrap_weights(subjects, resamples, draw)
    estimates = {}
    for name, metric in COUNTED.items():
        low, high = percentile_interval(metric(weights @ counts), subjects, confidence)
        error = jackknife_error(metric(counts.sum(0) - counts))
        estimates[name] = Estimate(float(metric(counts.sum(0))), low, high, error, subjects - 1.0, facts, subjects)
    low, high = percentile_interval(auroc(frame, weights), subjects, confidence)
    mean, error = float(auroc(frame, np.ones((1, subjects)))[0]), jackknife_error(auroc(frame, without_each(subjects)))
    estimates["auroc"] = Estimate(mean, low, high, error, subjects - 1.0, facts, subjects)
    return estimates


def detection_contrast(
    first: pd.DataFrame,
    second: pd.DataFrame,
    metric: str,
    resamples: int,
    confidence: float,
    draw: np.random.Generator,
) -> Contrast:
    """Return a metric of the first detector minus that of the second, with an interval and a permutation test.

    Under the null hypothesis the two detectors may swap their decisions on all statements of a subject.

    Args:
        first, second: the two detectors' decisions on the same statements, one row per statement, with columns fact_id,
            subject, truth and accepted.
        metric: a name of ``COUNTED``.
        resamples: the number of bootstrap resamples; the test takes ``FLIPS_PER_RESAMPLE`` times as many patterns.
        confidence: the confidence of the interval, between 0 and 1.
        draw: the source of the resamples and patterns.
    Returns:
        The contrast. Its p is NaN for a single subject.
    """
    measure, first_counts, second_counts = COUNTED[metric], counts_by_subject(first), counts_by_subject(second)
    subjects = len(first_counts)
    difference = float(measure(first_counts.sum(0)) - measure(second_counts.sum(0)))
    weights = bootstrap_weights(subjects, resamples, draw)
    low, high = percentile_interval(
        measure(weights @ first_counts) - measure(weights @ second_counts), subjects, confidence
    )
    patterns = FLIPS_PER_RESAMPLE * resamples
    swapped = draw.integers(0, 2, (patterns, subjects), dtype=np.int8).astype(float)
    moved = swapped @ (second_counts - first_counts)
    permuted = measure(first_counts.sum(0) + moved) - measure(second_counts.sum(0) - moved)
    extreme = int((np.abs(permuted) >= abs(difference) - 1e-12).sum())
    p = (extreme + 1) / (patterns + 1) if subjects > 1 else float("nan")
    without = measure(first_counts.sum(0) - first_counts) - measure(second_counts.sum(0) - second_counts)
    error = jackknife_error(without)
    return Contrast(difference, low, high, p, error, subjects - 1.0, first["fact_id"].nunique(), subjects)
