"""Detectors of true statements: metrics against scikit-learn, errors by the jackknife, rates of tests by simulation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

from dkn.statistics.detection import AUROC, COUNTED, Scores, by_draw, detection_contrasts, detection_estimates
from dkn.statistics.inference import Contrast
from dkn.statistics.roc import Cumulated, Ranked

METRICS = ("f1", "balanced_accuracy", "auroc")
LIMIT = 0.5


def statements(facts: int, seed: int, effect: float = 1.0) -> pd.DataFrame:
    """A true and a false statement of each fact, three facts a subject, true ones higher by ``effect``; with ties."""
    draw = np.random.default_rng(seed)
    number = np.repeat(np.arange(facts), 2)
    truth = np.tile([True, False], facts)
    score = np.round(draw.normal(size=2 * facts) + effect * truth, 1)
    return pd.DataFrame(
        {"fact_id": number.astype(str), "subject": (number // 3).astype(str), "truth": truth, "score": score}
    )


def with_threshold(test: pd.DataFrame, limit: float) -> list[Scores]:
    """A detector whose training split puts the threshold at ``limit``, whatever subjects are resampled."""
    score = limit + np.where(np.arange(8) % 2 == 0, 0.25, -0.25)
    facts = np.repeat(np.arange(4), 2).astype(str)
    training = {"fact_id": facts, "subject": facts, "truth": np.arange(8) % 2 == 0, "score": score}
    return [Scores(pd.DataFrame(training), test)]


def by_sklearn(frame: pd.DataFrame, limit: float = LIMIT) -> dict[str, float]:
    truth, accepted = frame["truth"], frame["score"] > limit
    return {
        "precision": metrics.precision_score(truth, accepted, zero_division=0),
        "recall": metrics.recall_score(truth, accepted),
        "f1": metrics.f1_score(truth, accepted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, accepted),
        "auroc": metrics.roc_auc_score(truth, frame["score"]),
    }


@pytest.mark.parametrize("limit", [LIMIT, -100.0, 100.0], ids=["some", "all", "none"])
def test_metrics_equal_scikit_learns(limit: float) -> None:
    frame = statements(40, 0)
    found = detection_estimates(with_threshold(frame, limit), 100, 0.95, np.random.default_rng(0))
    assert {name: one.mean for name, one in found.items()} == pytest.approx(by_sklearn(frame, limit))
    assert {(one.facts, one.subjects, one.df) for one in found.values()} == {(40, 14, 13)}


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    true_auroc, hits = 0.7602, 0  # Phi(1 / sqrt(2)) for normal scores one apart
    for seed in range(60):
        detector = with_threshold(statements(60, seed), LIMIT)
        found = detection_estimates(detector, 200, 0.9, np.random.default_rng(seed))["auroc"]
        assert found.low <= found.mean <= found.high
        hits += found.low <= true_auroc <= found.high
    assert 46 <= hits <= 60


def test_few_subjects_give_no_interval_and_one_no_error() -> None:
    found = detection_estimates(with_threshold(statements(12, 0), LIMIT), 100, 0.95, np.random.default_rng(0))
    assert all(np.isnan(one.low) and np.isnan(one.high) for one in found.values())
    one = with_threshold(statements(3, 0), LIMIT)
    for row in detection_contrasts(one, one, 100, 0.95, np.random.default_rng(0)).values():
        assert np.isnan([row.low, row.high, row.p, row.se]).all()
    assert all(np.isnan(row.se) for row in detection_estimates(one, 100, 0.95, np.random.default_rng(0)).values())


def pair(subjects: int, seed: int, gain: float) -> tuple[list[Scores], list[Scores]]:
    """Two detectors' scores of the same statements, one to four facts a subject, with as many training subjects.

    True statements stand one higher, and for the first detector ``gain`` more. Both share some noise of each subject
    and of each statement.
    """
    draw = np.random.default_rng(seed)
    frames: dict[str, list[pd.DataFrame]] = {}
    for split in ("training", "test"):
        facts = draw.integers(1, 5, subjects)
        subject = np.repeat(np.arange(subjects), 2 * facts)
        fact = np.repeat(np.arange(facts.sum()), 2).astype(str)
        truth = np.tile([True, False], facts.sum())
        shared = draw.normal(size=subjects)[subject] + draw.normal(size=len(truth))
        frames[split] = []
        for shift in (1 + gain, 1.0):
            score = shift * truth + (shared + draw.normal(size=len(truth))) / np.sqrt(3)
            about = {"fact_id": fact, "subject": np.char.add(split, subject.astype(str)), "truth": truth}
            frames[split].append(pd.DataFrame({**about, "score": score}))
    one, other = zip(frames["training"], frames["test"], strict=True)
    return [Scores(*one)], [Scores(*other)]


def test_the_error_of_the_auroc_leaves_one_subject_out_at_a_time() -> None:
    frame = statements(24, 3)
    names = sorted(frame["subject"].unique())
    without = [by_sklearn(frame[frame["subject"] != name])["auroc"] for name in names]
    found = detection_estimates(with_threshold(frame, LIMIT), 100, 0.95, np.random.default_rng(0))["auroc"]
    assert found.se == pytest.approx(np.std(without) * np.sqrt(len(names) - 1))


@pytest.mark.parametrize("metric", METRICS)
def test_the_standard_error_is_about_the_spread_of_the_bootstrap(metric: str) -> None:
    first, second = pair(150, 1, 0.5)
    found = detection_contrasts(first, second, 4000, 0.6827, np.random.default_rng(0))[metric]
    assert found.se == pytest.approx((found.high - found.low) / 2, rel=0.1)
    one = detection_estimates(first, 4000, 0.6827, np.random.default_rng(0))[metric]
    assert one.se == pytest.approx((one.high - one.low) / 2, rel=0.1)


@cache
def simulated(gain: float, studies: int) -> list[dict[str, Contrast]]:
    """The contrasts of so many studies of 40 subjects."""
    return [
        detection_contrasts(*pair(40, seed, gain), 200, 0.95, np.random.default_rng(seed)) for seed in range(studies)
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_equally_good_detectors_differ_at_the_stated_rate(metric: str) -> None:
    """In at most 5 % of 200 studies, and two standard errors; so do the intervals of the standard error.

    Their thresholds are of different training noise. With these taken as given, F1 differs in a quarter of the studies.
    """
    studies = [study[metric] for study in simulated(0.0, 200)]
    limit, quantile = 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200), stats.t.ppf(0.975, 39)
    assert np.mean([study.p < 0.05 for study in studies]) <= limit
    assert np.mean([abs(study.difference) > quantile * study.se for study in studies]) <= limit


@pytest.mark.parametrize("metric", METRICS)
def test_a_gain_of_one_standard_deviation_is_found_in_most_studies(metric: str) -> None:
    studies = [study[metric] for study in simulated(1.0, 50)]
    assert np.mean([study.p < 0.05 and study.low > 0 for study in studies]) > 0.7


def test_contrasts_are_differences_and_turn_their_sign_with_the_detectors() -> None:
    first, second = (with_threshold(statements(60, seed), LIMIT) for seed in (0, 1))
    found = detection_contrasts(first, second, 100, 0.95, np.random.default_rng(0))
    reverse = detection_contrasts(second, first, 100, 0.95, np.random.default_rng(0))
    assert set(found) == {*COUNTED, AUROC}
    for metric, row in found.items():
        assert row.difference == pytest.approx(by_sklearn(first[0].test)[metric] - by_sklearn(second[0].test)[metric])
        assert (row.p, row.se) == (reverse[metric].p, reverse[metric].se)
        assert (row.difference, row.low) == (-reverse[metric].difference, pytest.approx(-reverse[metric].high))
    for row in detection_contrasts(first, first, 100, 0.95, np.random.default_rng(0)).values():
        assert (row.difference, row.p) == (0, 1)
        assert row.low == pytest.approx(-row.high)  # subjects that were not seen may differ
        assert row.low < 0


def test_a_perfect_detector_beats_silence_although_neither_varies() -> None:
    """No resample shows a spread, and the smallest p that eight subjects allow remains."""
    perfect = statements(24, 0, 100.0)
    nothing = perfect.assign(score=0.0)
    pair_of = with_threshold(perfect, 50.0), with_threshold(nothing, LIMIT)
    found = detection_contrasts(*pair_of, 100, 0.95, np.random.default_rng(0))
    for metric in ("auroc", "balanced_accuracy"):
        assert (found[metric].difference, found[metric].se) == (0.5, 0)
        assert found[metric].p == pytest.approx(2 / 2**8)


def test_metrics_of_several_draws_are_their_means() -> None:
    draws = [with_threshold(statements(40, seed), LIMIT)[0] for seed in range(3)]
    found = detection_estimates(draws, 100, 0.95, np.random.default_rng(0))
    expected = [by_sklearn(scores.test) for scores in draws]
    for metric, row in found.items():
        assert by_draw(draws)[metric] == pytest.approx([numbers[metric] for numbers in expected])
        assert row.mean == pytest.approx(np.mean([numbers[metric] for numbers in expected]))
    one = detection_estimates(draws[:1], 100, 0.95, np.random.default_rng(0))
    assert found["auroc"].se < one["auroc"].se, "draws differ independently here, so that their mean varies less"
    same = detection_contrasts(draws, draws, 100, 0.95, np.random.default_rng(0))
    assert all((row.difference, row.low + row.high, row.p) == (0, pytest.approx(0), 1) for row in same.values())


def by_hand(frame: pd.DataFrame, weights: dict[str, int], limit: float) -> dict[str, float]:
    """Metrics of a resample, counted one statement after another; a score that equals the limit is accepted."""
    hit = false_alarm = miss = reject = 0
    for row in frame.itertuples():
        times = weights[row.subject]
        if row.score >= limit:
            hit, false_alarm = hit + times * row.truth, false_alarm + times * (not row.truth)
        else:
            miss, reject = miss + times * row.truth, reject + times * (not row.truth)
    accuracy = (hit / (hit + miss) + reject / (reject + false_alarm)) / 2
    return {"balanced_accuracy": accuracy, "f1": 2 * hit / (2 * hit + false_alarm + miss)}


def test_a_fixed_threshold_accepts_its_own_score_and_needs_no_training() -> None:
    """Metrics and bootstrap by counting; 0.5 is the score of some statements and far from what training chooses."""
    frame, other = statements(40, 0), statements(40, 1)
    assert (frame["score"] == LIMIT).any()
    training = with_threshold(frame, 5.0)[0].training
    first, second = [Scores(training, frame, LIMIT)], with_threshold(other, 1.05)
    assert (first[0].stated_threshold, second[0].stated_threshold) == (LIMIT, second[0].threshold)
    found = detection_estimates(first, 50, 0.8, np.random.default_rng(7))
    contrast = detection_contrasts(first, second, 50, 0.8, np.random.default_rng(7))
    names = sorted(frame["subject"].unique())
    once = dict.fromkeys(names, 1)
    drawn = np.random.default_rng(7).integers(0, len(names), (50, len(names)))
    resamples = [{name: sum(row == place) for place, name in enumerate(names)} for row in drawn]
    for metric in ("balanced_accuracy", "f1"):
        own = [by_hand(frame, weights, LIMIT)[metric] for weights in resamples]
        rival = [by_hand(other, weights, 1.05)[metric] for weights in resamples]
        assert found[metric].mean == pytest.approx(by_hand(frame, once, LIMIT)[metric])
        assert (found[metric].low, found[metric].high) == pytest.approx(tuple(np.quantile(own, (0.1, 0.9))))
        assert found[metric].se == pytest.approx(np.std(own))
        difference = by_hand(frame, once, LIMIT)[metric] - by_hand(other, once, 1.05)[metric]
        assert contrast[metric].difference == pytest.approx(difference)
        assert contrast[metric].se == pytest.approx(np.std(np.subtract(own, rival)))
    chosen = detection_estimates([Scores(training, frame)], 50, 0.8, np.random.default_rng(7))
    assert chosen["recall"].mean == 0
    assert chosen["auroc"] == found["auroc"], "it needs no threshold"


def test_facts_of_another_detector_keep_the_fixed_threshold() -> None:
    frame = statements(40, 0)
    few = Scores(frame, frame[frame["fact_id"].isin(["1", "2"])])
    left = Scores(frame, frame, 5e-7).on_facts_of(few)
    assert (left.fixed, left.threshold < 5e-7, set(left.test["fact_id"])) == (5e-7, True, {"1", "2"})


def test_twice_the_facts_are_at_most_twice_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, cumulated = [0], Ranked.cumulated

    def counted(self: Ranked, weights: np.ndarray) -> Iterator[Cumulated]:
        entries[0] += weights.size
        return cumulated(self, weights)

    monkeypatch.setattr(Ranked, "cumulated", counted)
    for facts in (300, 600):
        entries.append(entries[0])
        detectors = [with_threshold(statements(facts, seed), LIMIT) for seed in (0, 1)]
        detection_contrasts(*detectors, 20, 0.95, np.random.default_rng(0))
    assert 0 < entries[0] - entries[2] <= 2.1 * entries[2]
