"""Quadrature rules on [0, 1] for the integrated gradient (docs/method.md)."""

from __future__ import annotations

import numpy as np

FIXED_RULES = ("gauss-legendre", "midpoint", "left-riemann")
RULES = ("adaptive", *FIXED_RULES, "both-ends")


def nodes_and_weights(rule: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, each (count,), of a fixed rule on [0, 1]; weights sum to one.

    ``left-riemann`` with ``count`` nodes is what the released knowledge-neuron codes use. ``adaptive`` starts from
    Gauss-Legendre.
    """
    if count < 1:
        raise ValueError(f"a quadrature rule needs at least one node, not {count}")
    if rule in ("gauss-legendre", "adaptive"):
        nodes, weights = np.polynomial.legendre.leggauss(count)
        return (nodes + 1) / 2, weights / 2
    if rule == "midpoint":
        return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
    if rule == "both-ends":  # of the PyPI package knowledge-neurons 0.0.2, to compare with
        return np.linspace(0, 1, count), np.full(count, 1 / count)
    if rule == "left-riemann":
        return np.arange(count) / count, np.full(count, 1 / count)
    raise ValueError(f"unknown quadrature {rule!r}; allowed: {', '.join(RULES)}")
