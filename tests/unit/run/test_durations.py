"""Times in words."""

from __future__ import annotations

import pytest

from dkn.run.durations import duration


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.034, "0.03 s"),
        (0.34, "0.3 s"),
        (0.4, "0.4 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (7501, "2 h 5 min"),
        (35_999, "9 h 59 min"),
        (36_000, "10 h"),
        (259_000, "72 h"),
        (259_200, "3 days"),
        (3_132_000, "36 days"),
        (63_000_000, "729 days"),
        (75_240_000, "2.4 years"),
        (75_240_000_000, "2,384.2 years"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
