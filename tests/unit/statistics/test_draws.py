"""Differences over facts and draws: by hand, and how often intervals hold where the truth is planted."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dkn.statistics.draws import of_mean, of_one_more, of_two_sides, with_draws
from dkn.statistics.inference import paired_contrast

FACTS, STUDIES, CONFIDENCE = 40, 400, 0.95
TOLERANCE = 2 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / STUDIES)  # two standard errors of a coverage
SUBJECTS = np.array([f"s{number}" for number in range(FACTS)])


def contrast(difference: float, se: float, df: float = 39.0, subjects: int = 40, p: float = 0.5) -> dict:
    bounds = {"low": difference - 0.01, "high": difference + 0.01}
    return {"difference": difference, "se": se, "df": df, "facts": subjects, "subjects": subjects, "p": p, **bounds}


def side(draw: np.random.Generator, facts: np.ndarray, draws: int, between: float) -> np.ndarray:
    """(draws, facts) values that vary by fact, by draw and by both."""
    return facts + between * draw.normal(size=(draws, 1)) + 0.3 * draw.normal(size=(draws, FACTS))


def studied(number: int, draws: tuple[int, int], between: float, effect: float = 0.0) -> tuple[dict, dict]:
    """The contrast of one study over facts alone, and over facts and draws."""
    draw = np.random.default_rng(number)
    facts = draw.normal(size=FACTS)
    first, second = (side(draw, facts + shift, count, between) for shift, count in zip((effect, 0), draws, strict=True))
    over_facts = paired_contrast(first.mean(0), second.mean(0), SUBJECTS, 100, CONFIDENCE, draw).as_dict()
    parts = of_two_sides(first.mean(1), second.mean(1))
    return over_facts, with_draws(over_facts, parts, CONFIDENCE)


def coverage(found: list[dict], truth: float = 0.0) -> float:
    return float(np.mean([row["low"] <= truth <= row["high"] for row in found]))


@pytest.mark.parametrize("draws", [(3, 4), (2, 2), (12, 12), (1, 4), (4, 1)])
def test_an_interval_over_draws_holds_and_one_over_facts_fails(draws: tuple[int, int]) -> None:
    """The planted null: no difference, but draws differ from each other."""
    found = [studied(number, draws, between=0.3) for number in range(STUDIES)]
    facts_alone, whole = ([pair[place] for pair in found] for place in (0, 1))
    assert coverage(facts_alone) < 0.85
    assert coverage(whole) >= CONFIDENCE - TOLERANCE
    assert np.mean([row["p"] < 1 - CONFIDENCE for row in whole]) <= 1 - CONFIDENCE + TOLERANCE


def test_where_draws_do_not_differ_the_interval_is_a_little_wider() -> None:
    found = [studied(number, (4, 4), between=0.0) for number in range(STUDIES)]
    facts_alone, whole = ([pair[place] for pair in found] for place in (0, 1))
    assert coverage(whole) >= CONFIDENCE - TOLERANCE
    widths = [np.mean([row["high"] - row["low"] for row in rows]) for rows in (facts_alone, whole)]
    assert widths[0] < widths[1] < 1.8 * widths[0]


def test_a_planted_effect_is_found() -> None:
    """Half a standard deviation of facts, which is 1.7 of draws: three trainings find it often, twelve always."""
    power = {
        count: np.mean([studied(number, (count, count), 0.3, 0.5)[1]["p"] < 0.05 for number in range(100)])
        for count in (3, 12)
    }
    assert power[3] > 0.25
    assert power[12] > 0.9


def test_parts_by_hand() -> None:
    two, three = np.array([1.0, 3.0]), np.array([0.0, 1.0, 5.0])
    assert astuple(of_mean(two)) == pytest.approx((1.0, 1.0))
    assert astuple(of_one_more(three)) == pytest.approx((7.0 * 4 / 3, 2.0))
    assert of_two_sides(two, three) == [of_mean(two), of_mean(three)]
    assert of_mean(three).variance == pytest.approx(7.0 / 3)
    assert of_two_sides(two[:1], three) == of_two_sides(three, two[:1]) == [of_one_more(three)]
    assert np.isnan(of_two_sides(two[:1], two[:1])[0].variance)


def test_without_spread_of_facts_it_is_welchs_test() -> None:
    first, second = np.array([0.1, 0.3, 0.4]), np.array([0.6, 0.5, 0.9, 0.7])
    found = with_draws(contrast(first.mean() - second.mean(), 0.0), of_two_sides(first, second), CONFIDENCE)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found["p"] == pytest.approx(expected.pvalue)
    assert found["df"] == pytest.approx(expected.df)
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected.confidence_interval(CONFIDENCE)))
    assert (found["se_facts"], found["se_draws"]) == pytest.approx((0.0, found["se"]))


def test_without_spread_of_draws_it_is_a_t_interval_over_subjects() -> None:
    found = with_draws(contrast(0.2, 0.1), of_two_sides(np.full(3, 0.7), np.full(4, 0.5)), CONFIDENCE)
    assert found["high"] == pytest.approx(0.2 + 0.1 * stats.t.ppf(0.975, 39))
    assert (found["se"], found["df"], found["se_draws"]) == pytest.approx((0.1, 39, 0))


@given(st.floats(-2, 2), st.floats(0.01, 1), st.lists(st.floats(-1, 1), min_size=2, max_size=5))
def test_the_interval_leaves_out_zero_exactly_where_p_is_low(difference: float, se: float, draws: list[float]) -> None:
    found = with_draws(contrast(difference, se), [of_mean(np.array(draws))], CONFIDENCE)
    assert (found["low"] > 0 or found["high"] < 0) == (found["p"] < 1 - CONFIDENCE)


def test_what_does_not_vary_keeps_its_bounds_and_the_p_of_sign_flips() -> None:
    same = [of_mean(np.full(3, 0.7))]  # whose variance is not zero but a rounding error
    found = with_draws(contrast(0.4, 0.0, p=0.01), same, CONFIDENCE)
    assert [found[key] for key in ("p", "low", "high")] == pytest.approx([0.01, 0.39, 0.41])
    assert with_draws(contrast(0.0, 0.0, p=1.0), same, CONFIDENCE)["p"] == 1.0


def test_unknown_spreads_and_few_subjects_have_no_interval() -> None:
    unknown = with_draws(contrast(0.4, 0.1), of_two_sides(np.ones(1), np.ones(1)), CONFIDENCE)
    assert np.isnan([unknown[key] for key in ("low", "high", "p", "se", "df")]).all()
    assert unknown["p_facts"] == 0.5
    few = with_draws(contrast(0.4, 0.1, df=3.0, subjects=4), [of_mean(np.array([0.1, 0.2]))], CONFIDENCE)
    assert np.isnan([few["low"], few["high"]]).all()
    assert 0 < few["p"] < 1
    one = with_draws(contrast(0.4, float("nan"), df=0.0, subjects=1), [of_mean(np.array([0.1, 0.2]))], CONFIDENCE)
    assert np.isnan([one["p"], one["df"]]).all()
