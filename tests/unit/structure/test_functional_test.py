"""Which components pass a functional test."""

import numpy as np
import pytest

from dkn.errors import UserError
from dkn.structure.functional_test import FunctionalTest, recovery, relative_drop


def test_recovery_and_drop_by_hand() -> None:
    np.testing.assert_allclose(recovery(np.array([0.2, 0.5, 0.8]), 0.2, 0.8), [0, 0.5, 1])
    assert np.isnan(recovery(np.array([0.5]), 0.8, 0.8)).all()
    assert relative_drop(0.8, 0.2) == pytest.approx(0.75)


def test_the_functional_tests_disagree_where_they_should() -> None:
    """A component that nobody misses passes compensation and fails sufficiency."""
    useless = np.array([0.0]), np.array([0.01])
    assert not FunctionalTest("sufficiency", 0.1).passes(*useless)[0]
    assert FunctionalTest("compensation", 0.05).passes(*useless)[0]
    assert not FunctionalTest("sufficiency", 0.1).passes(np.array([np.nan]), np.array([0.5]))[0]
    with pytest.raises(UserError, match="sufficiency, compensation"):
        FunctionalTest("necessity", 0.1)
