"""Axes of numbers in points, of which few may be far larger than all others.

A relative drop in Prob has no lower bound: an answer that gains a thousandfold has a drop of -100,000 points. Where a
panel holds such a number its axis is linear up to ten points and logarithmic beyond, so that the others can be read.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

LARGEST_LINEAR = 200.0  # points that a linear axis reaches at most
LINEAR = 10.0  # on another one, points from zero on which it is linear
MARGIN = 0.06  # of the axis, beside the outermost numbers
BETWEEN = 0.27  # of the axis, between two ticks at least


def points_axis(axes: Axes, numbers: np.ndarray, room: float = MARGIN) -> None:
    """Fit the horizontal axis to numbers in points; zero is always on it.

    Args:
        axes: the panel.
        numbers: all that is drawn in it, bounds of intervals too; NaN counts as not drawn.
        room: the share of the axis beyond the largest number, for words.
    """
    drawn = np.append(numbers[np.isfinite(numbers)], 0.0)
    low, high = float(drawn.min()), float(drawn.max())
    if max(-low, high) <= LARGEST_LINEAR:
        width = max(high - low, 1.0)
        axes.set_xlim(low - MARGIN * width, high + room * width)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        return
    decades = sum(float(np.log10(max(1.0, size / LINEAR))) for size in (-low, high))
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=max(1.0, decades / 4))  # the linear part is never small
    transform = axes.xaxis.get_transform()
    left, right = transform.transform(np.array([low, high]))
    ends = np.array([left - MARGIN * (right - left), right + room * (right - left)])
    axes.set_xlim(*transform.inverted().transform(ends))
    axes.set_xlabel(f"logarithmic beyond ±{LINEAR:g}", fontsize=6.5)
    outermost = [sign * _power_below(size) for sign, size in ((-1, -low), (1, high)) if size > LINEAR]
    inner = [tick for tick in (-LINEAR, LINEAR) if low <= tick <= high]
    ticks = [0.0]
    for tick in (*outermost, *inner):
        apart = abs(transform.transform(np.array([tick, *ticks])) - transform.transform(np.array([tick])))[1:]
        if apart.min() >= BETWEEN * (ends[1] - ends[0]):
            ticks.append(tick)
    ticks.sort()
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([in_short(tick) for tick in ticks]))


def _power_below(size: float) -> float:
    """Return the largest power of ten that is not above a number."""
    return float(10 ** np.floor(np.log10(size)))


def in_short(points: float) -> str:
    """Return a power of ten, or zero, as the label of a tick."""
    if abs(points) <= 100:
        return f"{points:.0f}".replace("-", "−")
    power = rf"10^{{{np.log10(abs(points)):.0f}}}"
    return f"$-{power}$" if points < 0 else f"${power}$"
