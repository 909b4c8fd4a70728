"""The functional test of base degenerate components (docs/method.md): can a component express the fact?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkn.errors import UserError

FUNCTIONAL_TESTS = ("sufficiency", "compensation")


def recovery(only: np.ndarray, suppressed: float, intact: float) -> np.ndarray:
    """How far Prob comes back, from all KNs suppressed (0) to none (1), with one component active: (components,).

    NaN where suppressing all KNs does not lower Prob, so that there is nothing to recover.
    """
    if not intact > suppressed:
        return np.full(len(only), np.nan)
    return (only - suppressed) / (intact - suppressed)


def relative_drop(before: np.ndarray | float, after: np.ndarray | float) -> np.ndarray:
    """(before - after) / before, the paper's drop in Prob."""
    return (np.asarray(before) - np.asarray(after)) / np.asarray(before)


@dataclass(frozen=True)
class FunctionalTest:
    """Which components count as expressing the fact.

    ``sufficiency`` (the paper's definition): with the fact's other KNs suppressed, Prob must recover more than
    ``tau2`` of the way from all KNs suppressed to none. ``compensation`` (the released code): the component
    suppressed alone, the drop in Prob must stay under ``tau2``.
    """

    test: str
    tau2: float

    def __post_init__(self) -> None:
        if self.test not in FUNCTIONAL_TESTS:
            raise UserError(f"unknown functional test {self.test!r}; allowed: {', '.join(FUNCTIONAL_TESTS)}")

    def passes(self, recovered: np.ndarray, drop: np.ndarray) -> np.ndarray:
        """(components,) verdicts from recoveries and drops; an undefined recovery does not pass."""
        if self.test == "sufficiency":
            return np.nan_to_num(recovered, nan=-np.inf) > self.tau2
        return drop < self.tau2
