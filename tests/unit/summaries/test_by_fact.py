"""Means and paired differences over facts: what they are of, and what their random draws depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.randomness import generator
from dkn.statistics.inference import StatisticsSettings, estimate, paired_contrast
from dkn.summaries.by_fact import mean_over_facts, means_over_facts, paired_difference

SETTINGS = StatisticsSettings(resamples=200, confidence=0.9, seed=4)


def facts(*values: float, first: int = 0) -> pd.DataFrame:
    """Facts f0, f1, … from number ``first`` on, two of each subject, with these values."""
    numbers = range(first, first + len(values))
    subjects = [f"s{number // 2}" for number in numbers]
    index = pd.Index([f"f{number}" for number in numbers], name="fact_id")
    return pd.DataFrame({"value": values, "subject": subjects}, index=index)


VALUES = facts(*np.random.default_rng(0).normal(0.3, 1, 20))
OTHERS = facts(*np.random.default_rng(1).normal(0.0, 1, 20))


def test_a_mean_is_of_facts_with_an_interval_over_subjects() -> None:
    found = mean_over_facts(VALUES, "value", SETTINGS, "a purpose", "a key")
    assert found["mean"] == pytest.approx(VALUES["value"].mean())
    assert (found["facts"], found["subjects"]) == (20, 10)
    assert found["low"] < found["mean"] < found["high"]
    draw = generator(4, "a purpose", "a key")
    assert found == estimate(VALUES["value"], VALUES["subject"], 200, 0.9, draw).as_dict()


def test_shares_that_all_facts_have_are_not_stated_as_certain() -> None:
    right, wrong = (facts(*[value] * 20).rename(columns={"value": "accuracy"}) for value in (1.0, 0.0))
    found = mean_over_facts(right, "accuracy", SETTINGS, "a", "b")
    assert (found["low"], found["high"]) == pytest.approx((0.05**0.1, 1.0))
    excess = means_over_facts(wrong, ["accuracy"], SETTINGS, "a", "b", lowest=-1.0)["accuracy"]
    assert excess["low"] == pytest.approx(-excess["high"])
    tie = paired_difference(right, right, "accuracy", SETTINGS, "a", "b")
    assert tie["low"] == pytest.approx(-(1 - 0.05**0.1))
    drops = mean_over_facts(facts(*[1.0] * 20), "value", SETTINGS, "a", "b")
    assert drops["low"] == drops["high"] == 1.0


def test_draws_depend_on_seed_purpose_and_key_and_not_on_order() -> None:
    found = mean_over_facts(VALUES, "value", SETTINGS, "a", "b")
    assert mean_over_facts(VALUES[::-1], "value", SETTINGS, "a", "b") == pytest.approx(found)
    for purpose, key, seed in (("b", "b", 4), ("a", "a", 4), ("a", "b", 5)):
        other = mean_over_facts(VALUES, "value", StatisticsSettings(200, 0.9, seed), purpose, key)
        assert (other["low"], other["high"]) != (found["low"], found["high"])
        assert other["mean"] == found["mean"]


def test_a_mean_of_no_facts_is_no_number() -> None:
    found = mean_over_facts(VALUES.iloc[:0], "value", SETTINGS, "a", "b")
    assert (found["facts"], found["subjects"]) == (0, 0)
    assert np.isnan(found["mean"])


def test_several_means_are_those_of_each_alone_from_the_same_samples() -> None:
    frame = VALUES.assign(twice=2 * VALUES["value"], other=OTHERS["value"])
    found = means_over_facts(frame, ("other", "value", "twice"), SETTINGS, "a purpose", "a key")
    assert list(found) == ["other", "value", "twice"]
    for column, numbers in found.items():
        assert numbers == pytest.approx(mean_over_facts(frame, column, SETTINGS, "a purpose", "a key"))
    assert found["twice"]["high"] == pytest.approx(2 * found["value"]["high"])
    nothing = means_over_facts(frame.iloc[:0], ("value", "other"), SETTINGS, "a", "b")
    assert [numbers["facts"] for numbers in nothing.values()] == [0, 0]


def test_a_difference_is_first_minus_second_over_the_facts_of_both() -> None:
    """Paired by fact, whatever the order of either, and without the facts that only one has."""
    second = OTHERS.iloc[4:].sample(frac=1, random_state=0)
    found = paired_difference(VALUES.iloc[:16], second, "value", SETTINGS, "contrast", "key")
    shared = VALUES.index[4:16]
    assert found["difference"] == pytest.approx((VALUES["value"] - OTHERS["value"])[shared].mean())
    assert (found["facts"], found["subjects"]) == (12, 6)
    assert found["low"] < found["difference"] < found["high"]
    parts = (frame.loc[sorted(shared)] for frame in (VALUES, OTHERS))
    one, other = (part["value"] for part in parts)
    subjects = VALUES.loc[sorted(shared), "subject"]
    draw = generator(4, "contrast", "key")
    assert found == paired_contrast(one, other, subjects, 200, 0.9, draw).as_dict()


def test_a_turned_difference_has_the_other_sign_and_the_same_p() -> None:
    found = paired_difference(VALUES, OTHERS, "value", SETTINGS, "contrast", "key")
    turned = paired_difference(OTHERS, VALUES, "value", SETTINGS, "contrast", "key")
    assert turned["difference"] == pytest.approx(-found["difference"])
    assert (turned["low"], turned["high"]) == pytest.approx((-found["high"], -found["low"]))
    assert turned["p"] == found["p"]


def test_a_difference_without_a_shared_fact_is_no_number() -> None:
    found = paired_difference(VALUES, facts(1.0, 2.0, first=90), "value", SETTINGS, "contrast", "key")
    assert found["facts"] == 0
    assert np.isnan([found["difference"], found["p"]]).all()
