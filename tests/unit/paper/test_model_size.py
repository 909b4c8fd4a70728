"""Numbers against model size: when they count as growing."""

from __future__ import annotations

from typing import Any

import pytest

from dkn.paper.claims import INCONCLUSIVE, NOT_RUN, NOT_SUPPORTED, SUPPORTED
from dkn.paper.model_size import grows_with_size

Row = dict[str, Any]


def sized(*means: float) -> list[Row]:
    return [{"parameters": 10**size, "mean": m, "low": m - 0.1, "high": m + 0.1} for size, m in enumerate(means)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (sized(0.1, 0.3, 0.5), SUPPORTED),
        (sized(0.1, 0.6, 0.5), INCONCLUSIVE),
        (sized(0.1, 0.15, 0.2), INCONCLUSIVE),
        (sized(0.5, 0.3, 0.1), NOT_SUPPORTED),
        (sized(0.1, 0.5), NOT_RUN),
        ([*sized(0.1, 0.5), {**sized(0.9)[0], "low": None}], NOT_RUN),
    ],
)
def test_growth_needs_three_sizes(rows: list[Row], expected: str) -> None:
    assert grows_with_size(rows) == expected
