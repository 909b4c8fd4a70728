"""The search for a learning rate: a grid that grows on the side of its best rate, up to a limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.experiments.learning_rates import RateGrid


def searched(grid: RateGrid, score: Callable[[float], float]) -> tuple[list[float], float]:
    """All rates that are tried, and the best of them; of equals the smallest."""
    tried = list(grid.rates)
    while True:
        best = min(tried, key=lambda rate: (-score(rate), rate))
        further = grid.beyond(tried, best)
        if further is None:
            return sorted(tried), best
        tried.append(further)


def peak(at: float) -> Callable[[float], float]:
    """A score that falls on both sides of a rate."""
    return lambda rate: -abs(np.log(rate / at))


def test_a_best_rate_inside_ends_the_search_at_once() -> None:
    assert searched(RateGrid([0.0005, 0.0015, 0.0045], 3), peak(0.0015)) == ([0.0005, 0.0015, 0.0045], 0.0015)


@pytest.mark.parametrize(
    ("at", "tried", "best"),
    [
        (0.0045, [0.0015, 0.0045, 0.0135], 0.0045),
        (0.0135, [0.0015, 0.0045, 0.0135, 0.0405], 0.0135),
        (0.0015, [0.0005, 0.0015, 0.0045], 0.0015),
        (1.0, [0.0015, 0.0045, 0.0135, 0.0405, 0.1215], 0.1215),
        (1e-9, [0.0000555557, 0.000166667, 0.0005, 0.0015, 0.0045], 0.0000555557),
    ],
)
def test_the_grid_grows_on_the_side_of_its_best_rate(at: float, tried: list[float], best: float) -> None:
    assert searched(RateGrid([0.0045, 0.0015], 3), peak(at)) == (tried, best)


def test_each_side_has_the_ratio_of_its_own_edge() -> None:
    grid = RateGrid([0.001, 0.002, 0.02], 1)
    assert searched(grid, peak(1.0))[0][-1] == 0.2
    assert searched(grid, peak(1e-6))[0][0] == 0.0005


def test_of_equal_rates_the_lowest_is_the_best_one() -> None:
    assert searched(RateGrid([0.1, 0.2], 2), lambda rate: float(rate >= 0.1)) == ([0.05, 0.1, 0.2], 0.1)
    assert searched(RateGrid([0.1, 0.2], 2), lambda _: 1.0) == ([0.025, 0.05, 0.1, 0.2], 0.025)


def test_one_rate_is_not_extended() -> None:
    assert searched(RateGrid([0.1], 3), peak(0.5)) == ([0.1], 0.1)


@given(
    st.lists(st.sampled_from([0.001, 0.003, 0.01, 0.05, 0.1]), min_size=2, unique=True), st.integers(0, 4), st.data()
)
def test_the_search_ends_inside_or_at_its_limit(rates: list[float], extensions: int, data: st.DataObject) -> None:
    """Whatever the scores are, many of them equal."""
    scores: dict[float, int] = {}
    score = lambda rate: scores.setdefault(rate, data.draw(st.integers(0, 3)))  # noqa: E731
    tried, best = searched(RateGrid(rates, extensions), score)
    below, above = sum(rate < min(rates) for rate in tried), sum(rate > max(rates) for rate in tried)
    assert max(below, above) <= extensions
    assert tried[0] < best < tried[-1] or (below if best == tried[0] else above) == extensions
