"""Quadrature rules with fixed nodes: so many for a test, and what Captum calls them."""

from __future__ import annotations

FIXED_RULES = {"left-riemann": 4, "midpoint": 3, "gauss-legendre": 3, "gauss-lobatto": 3}


CAPTUM_METHODS = {
    "left-riemann": "riemann_left",
    "midpoint": "riemann_middle",
    "gauss-legendre": "gausslegendre",
}
