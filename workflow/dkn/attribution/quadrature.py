"""Quadrature rules on [0, 1] for the integrated gradient."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Legendre, legendre

FIXED_RULES = ("gauss-legendre", "gauss-lobatto", "midpoint", "left-riemann")
RULES = ("adaptive", *FIXED_RULES, "both-ends")


def nodes_and_weights(rule: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes, ascending, and the weights of a fixed rule on [0, 1]; the weights sum to one.

    ``left-riemann`` is the rule of the released knowledge-neuron codes. ``gauss-lobatto`` is exact for polynomials up
    to degree 2 count - 3, and both ends are among its nodes; with three nodes it is Simpson's rule.

    Args:
        rule: one of ``RULES`` but ``adaptive``.
        count: the number of nodes, at least 1, for ``gauss-lobatto`` at least 2.
    Returns:
        Nodes (count,) and weights (count,).
    Raises:
        ValueError: the rule is unknown, or ``count`` is too small for it.
    """
    if count < (2 if rule == "gauss-lobatto" else 1):
        raise ValueError(f"{count} is too few nodes for quadrature {rule!r}")
    if rule == "gauss-legendre":
        nodes, weights = legendre.leggauss(count)
        return (nodes + 1) / 2, weights / 2
    if rule == "gauss-lobatto":
        polynomial = Legendre.basis(count - 1)
        nodes = np.array([-1, *polynomial.deriv().roots(), 1])
        return (nodes + 1) / 2, 1 / (count * (count - 1) * polynomial(nodes) ** 2)
    if rule == "midpoint":
        return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
    if rule == "both-ends":  # the rule of the package knowledge-neurons 0.0.2, for comparison with it
        return np.linspace(0, 1, count), np.full(count, 1 / count)
    if rule == "left-riemann":
        return np.arange(count) / count, np.full(count, 1 / count)
    raise ValueError(f"unknown quadrature {rule!r}; allowed: {', '.join(RULES)}")
