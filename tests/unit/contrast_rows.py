"""A contrast as summaries hold it."""

from __future__ import annotations


def row(first: str, second: str, p: float | None, **where: str) -> dict[str, object]:
    """Return a contrast with p; ``where`` is what it is of."""
    numbers = {"difference": 0.1, "low": 0.0, "high": 0.2, "p": p, "facts": 9, "subjects": 8, "p_holm": 0.5}
    return {"first": first, "second": second, **where, **numbers}
