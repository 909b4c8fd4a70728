"""Axes of numbers in points, of which few may be far larger than all others.

A relative drop in Prob has no lower bound: an answer that gains a thousandfold has a drop of -100,000 points. Where a
panel holds such a number its axis is linear near zero and logarithmic beyond, so that the others can still be read.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

LARGEST_LINEAR = 200.0  # points that a linear axis reaches at most
LINEAR = 10.0  # on another one, points from zero on which it is linear
MARGIN = 0.06  # of the axis, beside the outermost numbers


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
    axes.set_xscale("symlog", linthresh=LINEAR)
    decades = [max(0.5, float(np.log10(max(size, LINEAR) / LINEAR)) + 1.0) for size in (-low, high)]
    left, right = (10 ** (2 * part * sum(decades)) for part in (MARGIN, room))
    axes.set_xlim(-LINEAR * max(0.5, -low / LINEAR * left), LINEAR * max(0.5, high / LINEAR * right))
    axes.set_xlabel(f"logarithmic beyond ±{LINEAR:g}", fontsize=6.5)
    ticks = [0.0]
    for sign, size in ((-1, -low), (1, high)):
        if size >= LINEAR:
            ticks.append(sign * 10 ** float(np.floor(np.log10(size))))
            if sum(decades) <= 5:
                ticks.append(sign * LINEAR)
    ticks = sorted(set(ticks))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([in_short(tick) for tick in ticks]))


def in_short(points: float) -> str:
    """Return a power of ten, or zero, as the label of a tick."""
    if abs(points) <= 1000:
        return f"{points:,.0f}".replace("-", "−")
    power = rf"10^{{{np.log10(abs(points)):.0f}}}"
    return f"$-{power}$" if points < 0 else f"${power}$"
