"""Neurological Topology Clustering (NTC).

The candidates of NTC are the components of the dendrogram (``dkn.structure.dendrogram``) that have enough neurons and
whose *persistence*, the time between birth and death, is large enough. Where candidates are nested, NTC keeps an
*antichain*, a set of components of which none contains another: that of the largest total persistence. The released
code clusters otherwise (``dkn.structure.short_edges``), which is an option here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkn.errors import UserError
from dkn.structure.dendrogram import Dendrogram, dendrogram
from dkn.structure.short_edges import lasting_clusters

PERSISTENCES = ("difference", "ratio")
CLUSTERINGS = ("antichain", "short-edges")
ROUNDING = 1e-12  # relative; sums of persistence that are taken in another order differ by less


@dataclass(frozen=True)
class NTCSettings:
    """How NTC cuts the dendrogram.

    Attributes:
        persistence: ``difference``, (death - birth) / limit of the filtration, or ``ratio``, log(death / birth).
        tau1: the persistence that a component must exceed.
        quantile: the quantile of the fact's finite distances at which the filtration stops.
        min_size: the fewest neurons of a component.
        tau1_is_quantile: whether ``tau1`` is a quantile, at least 0 and below 1, of the positive persistences of the
            fact's own components, and not a persistence.
        clustering: ``antichain``, or ``short-edges``, the released code's clustering, for which ``quantile`` and
            ``min_size`` count and a component's persistence is death - birth.

    Raises:
        UserError: ``persistence`` or ``clustering`` is neither, or ``tau1`` is no such quantile.
    """

    persistence: str
    tau1: float
    quantile: float
    min_size: int
    tau1_is_quantile: bool = False
    clustering: str = "antichain"

    def __post_init__(self) -> None:
        if self.persistence not in PERSISTENCES:
            raise UserError(f"unknown persistence {self.persistence!r}; allowed: {', '.join(PERSISTENCES)}")
        if self.clustering not in CLUSTERINGS:
            raise UserError(f"unknown clustering {self.clustering!r}; allowed: {', '.join(CLUSTERINGS)}")
        if self.tau1_is_quantile and not 0 <= self.tau1 < 1:
            raise UserError(f"tau1 as a quantile must be at least 0 and below 1, not {self.tau1}")

    def threshold(self, lifetimes: np.ndarray) -> float:
        """Return the persistence that a component of a fact must exceed, from those of all its merges, (merges,)."""
        positive = lifetimes[lifetimes > 0]
        return float(np.quantile(positive, self.tau1)) if self.tau1_is_quantile and len(positive) else self.tau1


@dataclass(frozen=True)
class Component:
    """A group of a fact's knowledge neurons.

    Attributes:
        members: the neurons' indices among the fact's knowledge neurons, ascending.
        birth, death: the distances between which the component exists.
        persistence: as ``persistence`` gives it, or death - birth with ``short-edges``.
    """

    members: np.ndarray
    birth: float
    death: float
    persistence: float


def persistence(tree: Dendrogram, kind: str) -> np.ndarray:
    """Return the persistence of each merge's component, (merges,).

    Args:
        kind: ``difference``, (death - birth) / limit, or ``ratio``, log(death / birth).
    """
    if kind == "difference":
        return (tree.death - tree.birth) / tree.limit
    with np.errstate(divide="ignore"):
        return np.log(tree.death) - np.log(tree.birth)


def best_antichain(tree: Dendrogram, lifetimes: np.ndarray, eligible: np.ndarray) -> list[int]:
    """Return the merges, none nested in another, whose total persistence is the largest.

    One pass up the tree finds the largest total below every node; one pass down collects the merges.

    Args:
        tree: the dendrogram.
        lifetimes: (merges,), the persistence of each merge's component.
        eligible: (merges,), whether a component may be chosen.
    Returns:
        The chosen merges, ascending. On a tie, up to rounding, the larger component wins.
    """
    best = np.zeros(tree.points + len(lifetimes))  # by node, the largest total persistence below it
    beats_parts = np.zeros(len(lifetimes), dtype=bool)  # by merge, whether its component beats all choices within it
    for merge, (left, right) in enumerate(tree.children):
        below = best[left] + best[right]
        beats_parts[merge] = eligible[merge] and lifetimes[merge] >= below * (1 - ROUNDING)
        best[tree.points + merge] = lifetimes[merge] if beats_parts[merge] else below
    covered = np.zeros(len(lifetimes), dtype=bool)  # by merge, whether a chosen component contains it
    chosen = []
    for merge in range(len(lifetimes) - 1, -1, -1):
        if beats_parts[merge] and not covered[merge]:
            chosen.append(merge)
        for child in tree.children[merge]:
            if child >= tree.points:
                covered[child - tree.points] = covered[merge] or beats_parts[merge]
    return chosen[::-1]


def ntc(distances: np.ndarray, settings: NTCSettings) -> list[Component]:
    """Return the components of one fact's knowledge neurons by NTC, before the functional test.

    Args:
        distances: (n, n), the distances between the fact's knowledge neurons.
    """
    if settings.clustering == "short-edges":
        kept = lasting_clusters(distances, settings.quantile, settings.min_size)
        return [Component(members, birth, death, death - birth) for members, birth, death in kept]
    tree = dendrogram(distances, settings.quantile)
    if not len(tree.birth):
        return []
    lifetimes = persistence(tree, settings.persistence)
    eligible = (tree.sizes >= settings.min_size) & (lifetimes > settings.threshold(lifetimes))
    return [
        Component(tree.members(merge), float(tree.birth[merge]), float(tree.death[merge]), float(lifetimes[merge]))
        for merge in best_antichain(tree, lifetimes, eligible)
    ]
