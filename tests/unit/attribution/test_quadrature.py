"""Nodes and weights of the quadrature rules against other sources."""

from __future__ import annotations

import numpy as np
import pytest
from captum.attr._utils.approximation_methods import approximation_parameters

from dkn.attribution.quadrature import nodes_and_weights
from tests.unit import plain
from tests.unit.quadrature_rules import CAPTUM_METHODS, FIXED_RULES


@pytest.mark.parametrize("rule", FIXED_RULES)
@pytest.mark.parametrize("count", [2, 3, 7])
def test_fixed_rules_have_the_textbook_nodes(rule: str, count: int) -> None:
    """Nodes and weights equal an independent source's, and Captum's where it has the rule."""
    nodes, weights = nodes_and_weights(rule, count)
    assert np.allclose(nodes, plain.rule(rule, count)[0], atol=1e-14)
    assert np.allclose(weights, plain.rule(rule, count)[1], atol=1e-14)
    if rule not in CAPTUM_METHODS:
        return
    captum_weights, captum_nodes = approximation_parameters(CAPTUM_METHODS[rule])
    assert np.allclose(nodes, captum_nodes(count), atol=1e-7)  # Captum's Riemann nodes are float32
    assert np.allclose(weights, captum_weights(count), atol=1e-14)
