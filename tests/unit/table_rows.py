"""Rows of summaries, for the tables of the paper's settings."""

from __future__ import annotations

from typing import Any

NOTHING: dict[str, Any] = {"estimates": [], "contrasts": [], "sets": []}


def found(mean: float | None, facts: int = 40, **where: Any) -> dict[str, Any]:
    """Return an estimate with its interval; ``where`` is what it is of."""
    spread = {"low": None, "high": None} if mean is None else {"low": mean - 0.1, "high": mean + 0.1}
    return {**where, "mean": mean, **spread, "facts": facts, "subjects": facts}


def contrast(difference: float, p: float | None, facts: int = 40, **where: Any) -> dict[str, Any]:
    """Return a contrast with p, and with one that some summary adjusted."""
    row = found(difference, facts, **where)
    return {**row, "difference": row.pop("mean"), "p": p, "p_holm": 0.5}


def suppression(*estimates: dict[str, Any], contrasts: tuple[dict[str, Any], ...] = ()) -> dict[str, dict[str, Any]]:
    """Return the summaries of the suppression experiments, all numbers in the first."""
    own = {"estimates": list(estimates), "contrasts": list(contrasts)}
    return {"suppression-values": own, "suppression-weights": {**NOTHING}}
