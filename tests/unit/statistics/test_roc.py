"""Thresholds by brute force over fractions, and ROC curves and areas against scikit-learn, with many ties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn import metrics

from dkn.statistics import roc

SMALLEST, LARGEST = float(np.nextafter(0, 1)), float(np.finfo(float).max)
# Few levels make many ties; neighbours among all floats and the ends of their range have no number between them.
SCORES = st.one_of(
    st.integers(0, 5).map(float),
    st.sampled_from([1.0, float(np.nextafter(1, 2)), 0.0, SMALLEST, 3 * SMALLEST, -LARGEST / 2, LARGEST / 2, LARGEST]),
    st.floats(-1e300, 1e300),
)
STATEMENTS = st.lists(st.tuples(SCORES, st.booleans()), min_size=2, max_size=30).filter(
    lambda pairs: len({truth for _, truth in pairs}) == 2
)


def balanced(pairs: list[tuple[float, bool]], limit: float) -> Fraction:
    """The exact balanced accuracy of accepting what exceeds a limit."""
    right = {kind: [(score > limit) == kind for score, truth in pairs if truth == kind] for kind in (True, False)}
    return sum((Fraction(sum(of_kind), len(of_kind)) for of_kind in right.values()), Fraction(0)) / 2


@given(STATEMENTS)
@example([(2, True), (4, True), (5, True), (3, False), (1, False), (0, False)])  # 1.5 is as good as 3.5
def test_the_threshold_is_the_lowest_of_the_best(pairs: list[tuple[float, bool]]) -> None:
    """What it accepts is what the best limit accepts that accepts most, by exact arithmetic."""
    levels = sorted({score for score, _ in pairs})
    limits = [float(np.nextafter(levels[0], -np.inf)), *levels]
    best = max(balanced(pairs, limit) for limit in limits)
    lowest = next(limit for limit in limits if balanced(pairs, limit) == best)
    scores, truth = (np.array(column) for column in zip(*pairs, strict=True))
    found = roc.threshold(scores, truth)
    assert (scores > found).tolist() == (scores > lowest).tolist()
    above = [level for level in levels if level > lowest]
    assert lowest <= found
    assert not above or found < above[0]


def test_a_threshold_lies_in_the_middle_between_its_neighbours() -> None:
    assert roc.threshold(np.array([1.0, 2.0, 4.0, 8.0]), np.array([False, False, True, True])) == 3


def test_scores_that_point_the_other_way_do_no_better_than_chance() -> None:
    found = roc.threshold(np.arange(6.0), np.arange(6) < 3)
    assert found < 0, "everything is accepted, which is as good as accepting nothing and has the lower threshold"


@pytest.mark.parametrize("seed", range(3))
def test_the_roc_curve_has_scikit_learns_points_and_the_area_auroc(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = np.arange(60) % 2 == 0
    scores = np.round(draw.normal(size=60) + truth, 1)
    curve = roc.roc_curve(scores, truth)
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    assert curve["false_positive_rate"].to_numpy() == pytest.approx(false)
    assert curve["true_positive_rate"].to_numpy() == pytest.approx(true)
    for row in curve.itertuples():
        assert row.true_positive_rate == pytest.approx((scores[truth] > row.threshold).mean())
    frame = pd.DataFrame({"subject": np.arange(60) // 4, "truth": truth, "score": scores})
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(roc.Ranked.of(frame, np.arange(15)).auroc(np.ones((1, 15)))[0])


@given(st.integers(0, 10_000))
def test_resamples_are_repeated_subjects(seed: int) -> None:
    """Area, threshold and counts of a resample are those of a table with the subjects' statements repeated.

    They do not depend on how many resamples are computed at once.
    """
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"subject": draw.integers(0, 5, 24), "truth": draw.random(24) < 0.5})
    frame["score"] = draw.integers(0, 5, 24).astype(float)
    ranked, weights = roc.Ranked.of(frame, np.arange(6)), draw.integers(0, 3, (5, 6))
    limits = draw.choice([-1.0, 0.5, 2.0, 7.0], 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roc, "MOST_ENTRIES", int(draw.choice([1, 60, 1000])))
        thresholds, (counts, areas) = ranked.thresholds(weights), ranked.judged(weights, limits)
        assert ranked.auroc(weights).tolist() == pytest.approx(areas.tolist(), nan_ok=True)
    for row, weight in enumerate(weights):
        copies = frame.loc[frame.index.repeat(weight[frame["subject"]])]
        truth, score = copies["truth"].to_numpy(), copies["score"].to_numpy()
        accepted = score > limits[row]
        of_kinds = [truth & accepted, ~truth & accepted, truth & ~accepted, ~truth & ~accepted]
        assert counts[row].tolist() == [kind.sum() for kind in of_kinds]
        if truth.all() or not truth.any():
            assert np.isnan(areas[row])
        else:
            assert areas[row] == pytest.approx(metrics.roc_auc_score(truth, score))
            assert thresholds[row] == roc.threshold(score, truth)


def test_a_hundred_thousand_statements_need_little_memory() -> None:
    """A table of all pairs would have 2.5 thousand million entries."""
    truth = np.arange(100_000) % 2 == 0
    frame = pd.DataFrame({"subject": np.arange(100_000) // 500, "truth": truth, "score": np.arange(100_000.0) + truth})
    assert roc.Ranked.of(frame, np.arange(200)).auroc(np.ones((3, 200))) == pytest.approx(0.5)


@pytest.mark.parametrize(("subjects", "levels"), [(40, 9), (40, 10**9), (3, 2), (1, 5)])
def test_the_area_without_each_subject_is_that_of_the_others(subjects: int, levels: int) -> None:
    draw = np.random.default_rng(levels)
    columns = {"subject": draw.integers(0, subjects, 120), "truth": draw.random(120) < 0.5}
    ranked = roc.Ranked.of(
        pd.DataFrame(columns).assign(score=draw.integers(0, levels, 120).astype(float)), np.arange(subjects)
    )
    expected = ranked.auroc(1 - np.eye(subjects))
    assert np.array_equal(ranked.auroc_without_each(), expected, equal_nan=True)
