"""Axes in points: all numbers are on them, and a far larger one does not hide the others."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from dkn.figures.points import in_short, points_axis


@pytest.mark.parametrize("largest", [0.0, 0.3, 80.0, 200.0, 201.0, 4e4, -3.0, -1e7])
@pytest.mark.parametrize("room", [0.06, 0.3])
def test_all_numbers_and_zero_are_inside(largest: float, room: float) -> None:
    axes = Figure().subplots()
    points_axis(axes, np.array([largest, 1.0, np.nan]), room)
    low, high = axes.get_xlim()
    assert low < min(largest, 0.0) <= max(largest, 1.0) < high
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 0.0 in shown
    assert 2 <= len(shown) <= 6 or largest == 0.0
    places = axes.transAxes.inverted().transform(axes.transData.transform([[tick, 0] for tick in shown]))[:, 0]
    assert len(shown) == 1 or np.diff(np.sort(places)).min() > 0.1, "their labels do not meet"
    assert axes.get_xscale() == ("linear" if abs(largest) <= 200 else "symlog")
    assert bool(axes.get_xlabel()) == (abs(largest) > 200), "an axis that is not linear says so"


def test_a_small_number_can_be_read_beside_a_large_one() -> None:
    axes = Figure().subplots()
    points_axis(axes, np.array([-4e10, 9.0]))
    place = axes.transAxes.inverted().transform(axes.transData.transform([[-5.0, 0], [5.0, 0]]))[:, 0]
    assert place[1] - place[0] > 0.1


def test_room_is_left_beyond_the_largest_number() -> None:
    for numbers in ([-5.0, 50.0], [-5.0, 5000.0]):
        places = []
        for room in (0.06, 0.3):
            axes = Figure().subplots()
            points_axis(axes, np.array(numbers), room)
            places.append(axes.transAxes.inverted().transform(axes.transData.transform([[numbers[1], 0]]))[0, 0])
        assert places[0] > 0.85 > places[1]


def test_nothing_to_draw_still_has_an_axis() -> None:
    axes = Figure().subplots()
    points_axis(axes, np.array([np.nan, np.nan]))
    assert axes.get_xlim()[0] < 0 < axes.get_xlim()[1]


def test_ticks_are_short() -> None:
    assert [in_short(tick) for tick in (0.0, -10.0, 1000.0, -1e5)] == ["0", "−10", "$10^{3}$", "$-10^{5}$"]
