"""Detectors of true statements: metrics against scikit-learn, thresholds by brute force, resamples by repetition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from dkn.statistics import detection


def statements(facts: int, seed: int, effect: float = 1.0) -> pd.DataFrame:
    """A true and a false statement of each fact, three facts a subject, true ones higher by ``effect``; with ties."""
    draw = np.random.default_rng(seed)
    number = np.repeat(np.arange(facts), 2)
    truth = np.tile([True, False], facts)
    score = np.round(draw.normal(size=2 * facts) + effect * truth, 1)
    frame = pd.DataFrame({"fact_id": number.astype(str), "truth": truth, "score": score})
    return frame.assign(subject=(number // 3).astype(str), accepted=frame["score"] > 0.5)


def by_sklearn(frame: pd.DataFrame) -> dict[str, float]:
    truth, accepted = frame["truth"], frame["accepted"]
    return {
        "precision": metrics.precision_score(truth, accepted, zero_division=0),
        "recall": metrics.recall_score(truth, accepted),
        "f1": metrics.f1_score(truth, accepted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, accepted),
        "auroc": metrics.roc_auc_score(truth, frame["score"]),
    }


@pytest.mark.parametrize("accepted", ["some", "all", "none"])
def test_metrics_equal_scikit_learns(accepted: str) -> None:
    frame = statements(40, 0)
    if accepted != "some":
        frame["accepted"] = accepted == "all"
    found = detection.detection_estimates(frame, 100, 0.95, np.random.default_rng(0))
    assert {name: one.mean for name, one in found.items()} == pytest.approx(by_sklearn(frame))
    assert {(one.facts, one.subjects) for one in found.values()} == {(40, 14)}


def test_weights_are_repeated_subjects() -> None:
    """A resample that holds subjects several times equals scikit-learn on repeated statements."""
    frame, draw = statements(12, 1), np.random.default_rng(0)
    subjects = sorted(frame["subject"].unique())
    weights = draw.integers(1, 4, (3, len(subjects))).astype(float)
    area = detection.auroc(frame, weights)
    counts = weights @ detection.counts_by_subject(frame)
    for row, weight in enumerate(weights):
        copies = frame["subject"].map(dict(zip(subjects, weight.astype(int), strict=True)))
        expected = by_sklearn(frame.loc[frame.index.repeat(copies)])
        assert area[row] == pytest.approx(expected["auroc"])
        for name, metric in detection.COUNTED.items():
            assert metric(counts[row]) == pytest.approx(expected[name])


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    true_auroc, hits = 0.7602, 0  # Phi(1 / sqrt(2)) for normal scores one apart
    for seed in range(60):
        frame = statements(60, seed)
        found = detection.detection_estimates(frame, 200, 0.9, np.random.default_rng(seed))["auroc"]
        assert found.low <= found.mean <= found.high
        hits += found.low <= true_auroc <= found.high
    assert 46 <= hits <= 60


def test_few_subjects_give_no_interval() -> None:
    found = detection.detection_estimates(statements(12, 0), 100, 0.95, np.random.default_rng(0))
    assert all(np.isnan(one.low) and np.isnan(one.high) for one in found.values())


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_threshold_is_the_best_there_is(seed: int, facts: int) -> None:
    frame = statements(facts, seed)
    scores, truth = frame["score"].to_numpy(), frame["truth"].to_numpy()

    def quality(limit: float) -> float:
        return float(metrics.balanced_accuracy_score(truth, scores > limit))

    found = detection.threshold(scores, truth)
    assert quality(found) == pytest.approx(max(quality(limit) for limit in [scores.min() - 1, *scores]))


def test_scores_that_point_the_other_way_do_no_better_than_chance() -> None:
    frame = statements(30, 0, effect=-5.0)
    limit = detection.threshold(frame["score"].to_numpy(), frame["truth"].to_numpy())
    accepted = frame["score"] > limit
    assert accepted.all() or not accepted.any()


def test_a_contrast_finds_a_better_detector_and_none_between_equals() -> None:
    good, poor, other = statements(60, 0, 4.0), statements(60, 1, 0.0), statements(60, 2, 0.0)
    draw = np.random.default_rng
    found = detection.detection_contrast(good, poor, "f1", 500, 0.95, draw(0))
    assert found.difference == pytest.approx(by_sklearn(good)["f1"] - by_sklearn(poor)["f1"])
    assert found.low > 0
    assert found.p < 0.01
    assert detection.detection_contrast(poor, other, "balanced_accuracy", 500, 0.95, draw(0)).p > 0.05
    same = detection.detection_contrast(poor, poor, "f1", 500, 0.95, draw(0))
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    reverse = detection.detection_contrast(poor, good, "f1", 500, 0.95, draw(0))
    assert reverse.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("seed", range(3))
def test_the_roc_curve_has_scikit_learns_points_and_the_area_auroc(seed: int) -> None:
    frame = statements(30, seed)
    scores, truth = frame["score"].to_numpy(), frame["truth"].to_numpy()
    curve = detection.roc_curve(scores, truth)
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    assert curve["false_positive_rate"].to_numpy() == pytest.approx(false)
    assert curve["true_positive_rate"].to_numpy() == pytest.approx(true)
    for row in curve.itertuples():
        assert row.true_positive_rate == pytest.approx((scores[truth] > row.threshold).mean())
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(detection.auroc(frame, np.ones((1, frame["subject"].nunique())))[0])
