"""The learning rates that fine-tuning tries: a grid that is extended while its best rate lies at an edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DIGITS = 6  # of a rate beyond the grid, so that 0.0045 * 3 reads 0.0135


@dataclass(frozen=True)
class RateGrid:
    """Learning rates to try, and how far beyond them the search may go.

    Attributes:
        rates: different learning rates, each above 0; a single one is not extended.
        extensions: the largest number of further rates below the grid, and as many above it.
    """

    rates: Sequence[float]
    extensions: int

    def beyond(self, tried: Sequence[float], best: float) -> float | None:
        """Return the next rate to try, or None where the search ends.

        It ends where rates on both sides of the best one were tried, or where the limit is reached on the best one's
        side. A further rate is as far from the edge as the grid's two rates at that edge are from each other, as a
        ratio.

        Args:
            tried: the rates of the grid and those that were tried beyond it.
            best: the best of these.
        """
        grid = sorted(self.rates)
        if len(grid) < 2 or min(tried) < best < max(tried):
            return None
        above = best == max(tried)
        edge, neighbour = (grid[-1], grid[-2]) if above else (grid[0], grid[1])
        further = sum(rate > edge if above else rate < edge for rate in tried)
        return float(f"{best * edge / neighbour:.{DIGITS}g}") if further < self.extensions else None
