"""Scores of true and false statements: thresholds, ROC (receiver operating characteristic) curves, and their area.

Statements whose score exceeds a threshold are accepted. Everything is computed for many resamples at once, which hold
every subject so many times. Numbers of statements are whole numbers and are compared as such: shares that are equal may
differ once they are rounded, and ties are common, because many thresholds accept equally well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_ENTRIES = 100_000  # of a table of resamples by statements that is computed at once, so that it stays in a cache


def _between(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return numbers in [lower, upper), the middles where there are any; no step overflows."""
    middle = lower / 2 + upper / 2
    return np.where((lower <= middle) & (middle < upper), middle, lower)


@dataclass(frozen=True)
class Cumulated:
    """How many statements of resamples score at most so much; the first column is below all scores.

    Attributes:
        levels: (levels,), all different scores, ascending.
        true, false: (resamples, 1 + levels), the numbers of true and of false statements up to each level.
    """

    levels: np.ndarray
    true: np.ndarray
    false: np.ndarray

    def auroc(self) -> np.ndarray:
        """Return (resamples,) the area under the ROC curve; NaN where true or false statements are missing.

        It is the probability that a true statement outscores a false one, where ties count half.
        """
        wins = (np.diff(self.true) * (self.false[:, 1:] + self.false[:, :-1])).sum(1) / 2
        pairs = self.true[:, -1] * self.false[:, -1]
        return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)

    def thresholds(self) -> np.ndarray:
        """Return (resamples,) the thresholds with the best balanced accuracy, the lowest of equally good ones.

        A threshold lies in the middle between two neighbouring scores of the resample, below all scores, or at the
        highest one.
        """
        all_true, all_false = self.true[:, -1:], self.false[:, -1:]
        quality = (all_true - self.true) * all_false - (all_false - self.false) * all_true  # hits minus false alarms
        rows, place = np.arange(len(quality)), quality.argmax(1)
        total = self.true + self.false
        above = total > total[rows, place, None]  # the first level above the place that the resample contains
        padded = np.concatenate((np.nextafter(self.levels[:1], -np.inf), self.levels))
        upper = np.where(above.any(1), padded[above.argmax(1)], np.inf)
        lower = np.where(total[rows, place] > 0, padded[place], np.nextafter(upper, -np.inf))
        return _between(lower, upper)

    def counts(self, thresholds: np.ndarray) -> np.ndarray:
        """Return (resamples, 4) the numbers of true positives, false positives, false negatives and true negatives.

        Args:
            thresholds: (resamples,), the threshold of each resample.
        """
        place = np.searchsorted(self.levels, thresholds, side="right")
        missed, rejected = (part[np.arange(len(part)), place] for part in (self.true, self.false))
        return np.stack((self.true[:, -1] - missed, self.false[:, -1] - rejected, missed, rejected), axis=1)


@dataclass(frozen=True)
class Ranked:
    """The scores of statements, in ascending order, with the subjects that the statements are about.

    Attributes:
        subjects: the number of subjects.
        subject: (statements,), the index of each statement's subject.
        truth: (statements,), whether each statement is true.
        levels: (levels,), all different scores, ascending.
        ends: (levels,), the number of statements up to each level.
    """

    subjects: int
    subject: np.ndarray
    truth: np.ndarray
    levels: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, names: np.ndarray) -> Ranked:
        """Return the ranked scores of a table.

        Args:
            frame: one row per statement, with columns subject, truth and score (finite).
            names: (subjects,), the subjects in the order of their indices, those of the table among them.
        """
        order = np.argsort(frame["score"].to_numpy(), kind="stable")
        levels, counts = np.unique(frame["score"].to_numpy(), return_counts=True)
        subject = pd.Index(names).get_indexer(frame["subject"])[order]
        return cls(len(names), subject, frame["truth"].to_numpy(dtype=bool)[order], levels, counts.cumsum())

    def cumulated(self, weights: np.ndarray) -> Iterator[Cumulated]:
        """Yield the cumulated numbers of statements of resamples, some resamples at a time, which bounds memory.

        Args:
            weights: (resamples, subjects), how often each resample contains each subject.
        """
        step = max(1, MOST_ENTRIES // (len(self.truth) + 1))
        for start in range(0, len(weights), step):
            part = weights[start : start + step, self.subject]
            true, false = (np.zeros((len(part), len(self.levels) + 1)) for _ in range(2))
            true[:, 1:] = (part * self.truth).cumsum(1)[:, self.ends - 1]
            false[:, 1:] = (part * ~self.truth).cumsum(1)[:, self.ends - 1]
            yield Cumulated(self.levels, true, false)

    def auroc(self, weights: np.ndarray) -> np.ndarray:
        """Return (resamples,) the area under the ROC curve of resamples, of which ``weights`` are as above."""
        return np.concatenate([part.auroc() for part in self.cumulated(weights)])

    def auroc_without_each(self) -> np.ndarray:
        """Return (subjects,) the area under the ROC curve of the samples that lack one subject each, for the jackknife.

        A sample has all pairs of a true and a false statement but those that hold a statement of the subject: its true
        statements' and its false ones', of which pairs with both of the subject count twice. Everything is counted in
        half pairs, which are whole numbers.
        """
        level = np.repeat(np.arange(len(self.levels)), np.diff(self.ends, prepend=0))
        true, false = (np.append(0, np.cumsum(kind)[self.ends - 1]) for kind in (self.truth, ~self.truth))
        won = np.where(self.truth, false[level + 1] + false[level], 2 * true[-1] - true[level + 1] - true[level])
        of_subject = np.bincount(self.subject, won, self.subjects) - self._won_within(level)
        own_true = np.bincount(self.subject, self.truth, self.subjects)
        own_false = np.bincount(self.subject, ~self.truth, self.subjects)
        pairs = (true[-1] - own_true) * (false[-1] - own_false)
        wins = (won[self.truth].sum() - of_subject) / 2
        return np.divide(wins, pairs, out=np.full(self.subjects, np.nan), where=pairs > 0)

    def _won_within(self, level: np.ndarray) -> np.ndarray:
        """Return (subjects,) the half pairs that are won where both statements are of the same subject.

        Args:
            level: (statements,) the place of each statement's score among ``levels``.
        """
        order = np.argsort(self.subject, kind="stable")  # within a subject, levels stay ascending
        subject, truth, level = self.subject[order], self.truth[order], level[order]
        starts = np.flatnonzero(np.diff(subject, prepend=-1) | np.diff(level, prepend=-1))  # of subjects' levels
        true, false = (np.add.reduceat(kind.astype(np.int64), starts) for kind in (truth, ~truth))
        below = np.cumsum(false) - false
        first = np.searchsorted(subject[starts], subject[starts])  # each subject's lowest level
        return np.bincount(subject[starts], true * (2 * (below - below[first]) + false), self.subjects)

    def thresholds(self, weights: np.ndarray) -> np.ndarray:
        """Return (resamples,) the best threshold of each resample, of which ``weights`` are as above."""
        return np.concatenate([part.thresholds() for part in self.cumulated(weights)])

    def judged(self, weights: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (resamples, 4) the counts, as ``Cumulated.counts`` does, and (resamples,) the AUROC of resamples."""
        done, counts, areas = 0, [], []
        for part in self.cumulated(weights):
            counts.append(part.counts(thresholds[done : done + len(part.true)]))
            areas.append(part.auroc())
            done += len(part.true)
        return np.concatenate(counts), np.concatenate(areas)


def threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold with the best balanced accuracy, the lowest of equally good ones.

    Balanced accuracy decides and not F1, because a score without information reaches its best F1 by accepting
    everything. Scores above the threshold are accepted.

    Args:
        scores: (statements,) finite numbers.
        truth: (statements,) whether each statement is true; both kinds must be there.
    """
    frame = pd.DataFrame({"subject": 0, "truth": truth, "score": scores})
    return float(Ranked.of(frame, np.zeros(1, dtype=int)).thresholds(np.ones((1, 1)))[0])


def roc_curve(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return the points of the ROC curve; between them it is a straight line.

    Args:
        scores: (statements,) finite numbers.
        truth: (statements,) whether each statement is true; both kinds must be there.
    Returns:
        The columns threshold (scores above it are accepted), false_positive_rate and true_positive_rate, from accepting
        nothing to accepting everything.
    """
    frame = pd.DataFrame({"subject": 0, "truth": truth, "score": scores})
    (part,) = Ranked.of(frame, np.zeros(1, dtype=int)).cumulated(np.ones((1, 1)))
    true, false = (1 - kind[0, ::-1] / kind[0, -1] for kind in (part.true, part.false))
    thresholds = np.append(part.levels[::-1], np.nextafter(part.levels[0], -np.inf))
    return pd.DataFrame({"threshold": thresholds, "false_positive_rate": false, "true_positive_rate": true})
