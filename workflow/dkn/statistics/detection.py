"""Metrics of detectors, which tell true from false statements by a score, with intervals and contrasts.

The statements of a subject are not independent. The bootstrap therefore resamples subjects; a resample is a vector of
how often it contains each subject. It resamples training subjects too and chooses every threshold anew, because
thresholds vary: of two equally good detectors one may accept more, only since its training subjects made it so. F1
depends much on the share that is accepted, balanced accuracy little, the area under the ROC curve (AUROC) not at all.
A threshold may also be fixed beforehand, as those of the released code are; then it is the same in every resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from dkn.statistics.inference import (
    FLIPS_PER_RESAMPLE,
    Contrast,
    Estimate,
    bootstrap_weights,
    percentile_interval,
    sign_flip_p,
)
from dkn.statistics.roc import Ranked, threshold

AUROC = "auroc"
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


@dataclass(frozen=True)
class Scores:
    """The scores of a detector, or of one draw of a random one.

    Attributes:
        training, test: one row per statement of the training and of the test split, with columns fact_id, subject,
            truth and score (finite). Both kinds of statements are in both splits.
        fixed: the lowest score that is accepted; None where the training split chooses the threshold.
    """

    training: pd.DataFrame
    test: pd.DataFrame
    fixed: float | None = None

    @cached_property
    def threshold(self) -> float:
        """The score above which statements are accepted: chosen on the training split, or just below the fixed one."""
        if self.fixed is not None:
            return float(np.nextafter(self.fixed, -np.inf))
        return threshold(self.training["score"].to_numpy(), self.training["truth"].to_numpy(dtype=bool))

    @property
    def stated_threshold(self) -> float:
        """The threshold as it is reported: the fixed one itself, which a score may be equal to, where there is one."""
        return self.threshold if self.fixed is None else self.fixed

    def resampled_thresholds(self, subjects: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return (resamples,) the threshold of each resample of the training subjects.

        Args:
            subjects: (subjects,) their names.
            weights: (resamples, subjects), how often each resample contains each of them.
        """
        if self.fixed is not None:
            return np.full(len(weights), self.threshold)
        return Ranked.of(self.training, subjects).thresholds(weights)

    def on_facts_of(self, other: Scores) -> Scores:
        """Return the scores with only those test statements whose facts the other scores' test split has too."""
        return replace(self, test=self.test[self.test["fact_id"].isin(other.test["fact_id"])])


Detector = Sequence[Scores]  # its draws, whose metrics are averaged; one where nothing is random


def by_draw(detector: Detector) -> dict[str, np.ndarray]:
    """Return every metric of the test statements, (draws,)."""
    found = []
    for scores in detector:
        ranked = Ranked.of(scores.test, scores.test["subject"].unique())
        found.append(_metrics(ranked, np.ones((1, ranked.subjects)), np.array([scores.threshold])))
    return {metric: np.concatenate([metrics[metric] for metrics in found]) for metric in found[0]}


def _metrics(ranked: Ranked, weights: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of resamples, (resamples,), from their weights and thresholds."""
    counts, area = ranked.judged(weights, thresholds)
    return {**{name: metric(counts) for name, metric in COUNTED.items()}, AUROC: area}


class _Bootstrap:
    """Resamples of the subjects of some detectors, the same for all of them.

    Attributes:
        facts, subjects: the numbers of facts and of subjects in the test split.
    """

    def __init__(self, detectors: Sequence[Detector], resamples: int, draw: np.random.Generator):
        of_draws = [scores for detector in detectors for scores in detector]
        self._training, self._test = (
            np.unique(np.concatenate([getattr(scores, split)["subject"].unique() for scores in of_draws]))
            for split in ("training", "test")
        )
        self.facts, self.subjects = of_draws[0].test["fact_id"].nunique(), len(self._test)
        self._weights = bootstrap_weights(self.subjects, resamples, draw)
        self._training_weights = bootstrap_weights(len(self._training), resamples, draw)

    def resampled(self, detector: Detector) -> dict[str, np.ndarray]:
        """Return every metric of the resamples, (resamples,), each at the thresholds of its own training subjects."""
        found = []
        for scores in detector:
            thresholds = scores.resampled_thresholds(self._training, self._training_weights)
            found.append(_metrics(Ranked.of(scores.test, self._test), self._weights, thresholds))
        return {metric: np.mean([metrics[metric] for metrics in found], axis=0) for metric in found[0]}

    def auroc_without_each(self, detector: Detector) -> np.ndarray:
        """Return (subjects,) the AUROC of the samples that lack one test subject each."""
        return np.mean([Ranked.of(scores.test, self._test).auroc_without_each() for scores in detector], axis=0)


def jackknife_error(without: np.ndarray) -> float:
    """Return the standard error of a number that is no mean, by the jackknife.

    Args:
        without: (subjects,) the number without each subject.
    Returns:
        The standard error; NaN for a single subject.
    """
    subjects = len(without)
    return float(np.sqrt((subjects - 1) / subjects * ((without - without.mean()) ** 2).sum()))


def t_test_p(difference: float, error: float, subjects: int) -> float:
    """Return the two-sided p of a t-test, and at least what flipping the signs of so many subjects could give.

    Args:
        difference: the difference between two detectors.
        error: its standard error, which is zero where no resample differs.
        subjects: the number of subjects, one more than the degrees of freedom; at least two.
    """
    if difference == 0:
        return 1.0
    p = 2 * stats.t.sf(abs(difference) / error, subjects - 1) if error else 0.0
    return float(max(p, 2.0 ** (1 - subjects)))


def detection_estimates(
    detector: Detector, resamples: int, confidence: float, draw: np.random.Generator
) -> dict[str, Estimate]:
    """Return every metric of one detector on its test split, with percentile bootstrap intervals over subjects.

    Args:
        detector: the draws of the detector.
        resamples: the number of bootstrap resamples.
        confidence: the confidence of the intervals, between 0 and 1.
        draw: the source of the resamples.
    Returns:
        An estimate for each metric of ``COUNTED``, and for ``AUROC``. The standard error is the spread of the
        resamples, and for the AUROC that of the jackknife.
    """
    bootstrap = _Bootstrap([detector], resamples, draw)
    resampled, subjects = bootstrap.resampled(detector), bootstrap.subjects
    estimates = {}
    for metric, draws in by_draw(detector).items():
        low, high = percentile_interval(resampled[metric], subjects, confidence, lowest=0.0)
        error = float("nan")
        if subjects > 1:
            jackknife = metric == AUROC
            error = jackknife_error(bootstrap.auroc_without_each(detector)) if jackknife else resampled[metric].std()
        mean, df = float(draws.mean()), subjects - 1.0
        estimates[metric] = Estimate(mean, low, high, float(error), df, bootstrap.facts, subjects)
    return estimates


def detection_contrasts(
    first: Detector, second: Detector, resamples: int, confidence: float, draw: np.random.Generator
) -> dict[str, Contrast]:
    """Return every metric of the first detector minus that of the second, with intervals and tests.

    The metrics at a threshold have a t-test with the spread of the resamples as standard error. The AUROC needs no
    threshold. Its standard error is the jackknife's, and its test flips the signs of the difference's pseudo-values: a
    subject's is what the difference gains by the subject, and their mean is the difference, corrected for its bias.

    Args:
        first, second: the draws of two detectors, all with the same test statements. How draws differ is no part of the
            intervals and errors.
        resamples: the number of bootstrap resamples; sign flips take ``FLIPS_PER_RESAMPLE`` times as many patterns.
        confidence: the confidence of the intervals, between 0 and 1.
        draw: the source of the resamples and patterns.
    Returns:
        A contrast for each metric of ``COUNTED``, and for ``AUROC``. Standard error and p are NaN for a single subject.
    """
    bootstrap = _Bootstrap([first, second], resamples, draw)
    subjects, one, other = bootstrap.subjects, by_draw(first), by_draw(second)
    of_first, of_second = bootstrap.resampled(first), bootstrap.resampled(second)
    contrasts = {}
    for metric in one:
        difference, spread = float(one[metric].mean() - other[metric].mean()), of_first[metric] - of_second[metric]
        low, high = percentile_interval(spread, subjects, confidence, lowest=-1.0)
        error = p = float("nan")
        if metric == AUROC and subjects > 1:
            without = bootstrap.auroc_without_each(first) - bootstrap.auroc_without_each(second)
            pseudo_values = subjects * difference - (subjects - 1) * without
            error, p = jackknife_error(without), sign_flip_p(pseudo_values, FLIPS_PER_RESAMPLE * resamples, draw)
        elif subjects > 1:
            error = float(spread.std())
            p = t_test_p(difference, error, subjects)
        contrasts[metric] = Contrast(difference, low, high, p, error, subjects - 1.0, bootstrap.facts, subjects)
    return contrasts
