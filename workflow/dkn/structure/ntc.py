"""Neurological Topology Clustering and its control (docs/method.md).

NTC's candidates are the dendrogram's components with at least two neurons and enough persistence. Where candidates
are nested, the antichain of the largest total persistence is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkn.errors import UserError
from dkn.structure.dendrogram import Dendrogram, dendrogram

PERSISTENCES = ("difference", "ratio")
ROUNDING = 1e-12  # relative; sums of persistence in another order differ by less


@dataclass(frozen=True)
class NTCSettings:
    """How NTC cuts the dendrogram.

    Attributes:
        persistence: ``difference`` (death - birth, in units of the filtration's limit) or ``ratio`` (log of
            death / birth).
        tau1: components need more persistence than this.
        quantile: the filtration stops at this quantile of the fact's finite distances.
        min_size: the fewest neurons of a component.
        tau1_is_quantile: tau1 is not a persistence but a quantile of the fact's own: of all components that live.
    """

    persistence: str
    tau1: float
    quantile: float
    min_size: int
    tau1_is_quantile: bool = False

    def __post_init__(self) -> None:
        if self.persistence not in PERSISTENCES:
            raise UserError(f"unknown persistence {self.persistence!r}; allowed: {', '.join(PERSISTENCES)}")
        if self.tau1_is_quantile and not 0 <= self.tau1 < 1:
            raise UserError(f"tau1 as a quantile must be at least 0 and below 1, not {self.tau1}")

    def threshold(self, lifetimes: np.ndarray) -> float:
        """The persistence that a component of this fact must exceed, from those of all its merges: (merges,)."""
        living = lifetimes[lifetimes > 0]
        return float(np.quantile(living, self.tau1)) if self.tau1_is_quantile and len(living) else self.tau1


@dataclass(frozen=True)
class Component:
    """A group of a fact's neurons: indices into its neuron list, ascending; birth and death are distances."""

    members: np.ndarray
    birth: float
    death: float
    persistence: float


def persistence(tree: Dendrogram, kind: str) -> np.ndarray:
    """(merges,) how long each component lives: log(death / birth), or (death - birth) / limit."""
    if kind == "difference":
        return (tree.death - tree.birth) / tree.limit
    with np.errstate(divide="ignore"):
        return np.log(tree.death) - np.log(tree.birth)


def best_antichain(tree: Dendrogram, lifetimes: np.ndarray, eligible: np.ndarray) -> list[int]:
    """The merges, no two nested, whose persistence adds up to the most; one pass up the tree.

    Args:
        tree: the dendrogram.
        lifetimes: (merges,) persistence.
        eligible: (merges,) whether a component may be chosen.
    Returns:
        Chosen merges, ascending. On a tie, up to rounding, the larger component wins.
    """
    best = np.zeros(tree.points + len(lifetimes))
    whole = np.zeros(len(lifetimes), dtype=bool)
    for merge, (left, right) in enumerate(tree.children):
        below = best[left] + best[right]
        whole[merge] = eligible[merge] and lifetimes[merge] >= below * (1 - ROUNDING)
        best[tree.points + merge] = lifetimes[merge] if whole[merge] else below
    covered = np.zeros(len(lifetimes), dtype=bool)
    chosen = []
    for merge in range(len(lifetimes) - 1, -1, -1):
        if whole[merge] and not covered[merge]:
            chosen.append(merge)
        for child in tree.children[merge]:
            if child >= tree.points:
                covered[child - tree.points] = covered[merge] or whole[merge]
    return chosen[::-1]


def ntc(distances: np.ndarray, settings: NTCSettings) -> list[Component]:
    """Candidate base degenerate components of one fact from its (n, n) distance matrix, before the functional test."""
    tree = dendrogram(distances, settings.quantile)
    if not len(tree.birth):
        return []
    lifetimes = persistence(tree, settings.persistence)
    eligible = (tree.sizes >= settings.min_size) & (lifetimes > settings.threshold(lifetimes))
    return [
        Component(tree.members(merge), float(tree.birth[merge]), float(tree.death[merge]), float(lifetimes[merge]))
        for merge in best_antichain(tree, lifetimes, eligible)
    ]
