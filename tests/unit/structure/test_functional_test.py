"""Which components pass a functional test."""

import numpy as np
import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.structure.functional_test import FunctionalTest, recovery, relative_drop


def test_recovery_and_drop_by_hand() -> None:
    np.testing.assert_allclose(recovery(np.array([0.2, 0.5, 0.8]), 0.2, 0.8), [0, 0.5, 1])
    assert np.isnan(recovery(np.array([0.5]), 0.8, 0.8)).all()
    assert relative_drop(0.8, 0.2) == pytest.approx(0.75)


def passing(test: str, tau2: float, **numbers: float | None) -> bool:
    """Whether one component with some numbers passes."""
    return bool(FunctionalTest(test, tau2).passes(pd.DataFrame([numbers]))[0])


def test_the_functional_tests_disagree_where_they_should() -> None:
    """In a fact that keeps most of Prob without its KNs, a component that nobody misses passes all but sufficiency."""
    useless = {"recovery": 0.0, "prob_only_component": 0.8, "drop": 0.01}
    assert not passing("sufficiency", 0.1, **useless)
    assert passing("absolute", 0.1, **useless)
    assert passing("compensation", 0.05, **useless)


def test_where_prob_is_small_bringing_everything_back_fails_absolute() -> None:
    all_there_is = {"recovery": 1.0, "prob_only_component": 0.05, "drop": 0.5}
    assert passing("sufficiency", 0.1, **all_there_is)
    assert not passing("absolute", 0.1, **all_there_is)
    assert not passing("compensation", 0.1, **all_there_is)


def test_a_threshold_must_be_exceeded() -> None:
    assert not passing("sufficiency", 0.5, recovery=0.5)
    assert not passing("absolute", 0.5, prob_only_component=0.5)
    assert not passing("compensation", 0.5, drop=0.5)


def test_what_cannot_be_recovered_does_not_pass() -> None:
    for missing in (float("nan"), None):
        assert not passing("sufficiency", -1000, recovery=missing)


def test_another_test_is_refused() -> None:
    with pytest.raises(UserError, match="sufficiency, absolute, compensation"):
        FunctionalTest("necessity", 0.1)
