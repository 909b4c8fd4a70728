"""One fact's filtration in a form that a page can replay: the list of its merges, and the bars of its barcode.

The filtration joins neurons at growing distances (radii). A merge joins two components, or neurons, into one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.structure.dendrogram import Dendrogram, dendrogram, filtration
from dkn.structure.ntc import NTCSettings, persistence

SHORT, NESTED = "short", "nested"  # why a component of the dendrogram was not chosen


@dataclass(frozen=True)
class Merging:
    """The single linkage of a fact's neurons in steps, to the end: all merges at one radius are one step.

    Attributes:
        tree: the dendrogram over all finite distances.
        radii: (steps,) the distinct radii of the merges, ascending. At step 0, before the first merge, every neuron is
            alone.
        step: (merges,) the step of each merge, which counts from 1.
        limit: the radius at which NTC's filtration stops.
        limit_step: the last step that NTC's filtration reaches.
    """

    tree: Dendrogram
    radii: np.ndarray
    step: np.ndarray
    limit: float
    limit_step: int

    def merge_of(self, places: np.ndarray) -> int:
        """Return the merge whose component consists of exactly these neurons.

        Args:
            places: the ascending positions of the neurons in the fact's list.
        Raises:
            ValueError: there is no such merge.
        """
        for merge in np.flatnonzero(self.tree.sizes == len(places)):
            if np.array_equal(self.tree.members(int(merge)), places):
                return int(merge)
        raise ValueError(f"no component of the filtration has the places {list(places)}")

    def merge_over(self, places: np.ndarray) -> int:
        """Return the first merge whose component has all of these neurons, which finite distances join.

        Args:
            places: the positions of the neurons in the fact's list.
        """
        wanted = set(places.tolist())
        return next(merge for merge in range(len(self.step)) if wanted <= set(self.tree.members(merge).tolist()))


def merging(distances: np.ndarray, quantile: float) -> Merging:
    """Return the steps of a fact's filtration.

    Args:
        distances: (n, n) the distance matrix, with at least one finite distance between two neurons.
        quantile: the quantile of the finite distances at which NTC's filtration stops, between 0 and 1.
    """
    tree = dendrogram(distances)
    radii, inverse = np.unique(tree.birth, return_inverse=True)
    _, limit = filtration(distances, quantile)
    return Merging(tree, radii, inverse + 1, limit, int(np.searchsorted(radii, limit, side="right")))


def colour_slots(tree: Dendrogram, first: Sequence[int]) -> list[int]:
    """Return (merges,) the colour of each component, as an index into a list of colours.

    A component keeps its colour while it grows: a merge takes over the colour of the largest component that it joins,
    and a merge of two neurons gets a new one.

    Args:
        tree: the dendrogram.
        first: merges, none of them within another, that get the colours 0, 1, … in this order.
    """
    slot: list[int] = []
    for left, right in tree.children.tolist():
        joined = [child - tree.points for child in (left, right) if child >= tree.points]
        slot.append(slot[max(joined, key=lambda merge: tree.sizes[merge])] if joined else len(slot))
    order = {name: number for number, name in enumerate(dict.fromkeys([slot[merge] for merge in first] + slot))}
    return [order[name] for name in slot]


def bars(
    distances: np.ndarray, settings: NTCSettings, tested: Mapping[tuple[int, ...], int]
) -> tuple[pd.DataFrame, float]:
    """Return the components with a lifetime before the limit and what became of them, and the persistence threshold.

    Args:
        distances: (n, n) the distance matrix, with at least one finite distance between two neurons.
        settings: the settings of NTC.
        tested: the number of each component that went through the functional test, by the places of its neurons.
    Returns:
        A table in the order of births, with columns birth, death, neurons, component (its number, or -1) and reason,
        and the threshold. The reason why a component was not chosen is ``short`` (its persistence does not exceed the
        threshold, or it has too few neurons) or ``nested`` (a component that contains it, or several within it, have
        more persistence together); it is empty for the chosen ones.
    """
    tree = dendrogram(distances, settings.quantile)
    lifetimes = persistence(tree, settings.persistence)
    threshold = settings.threshold(lifetimes)
    eligible = (tree.sizes >= settings.min_size) & (lifetimes > threshold)
    rows = []
    for merge in np.flatnonzero(lifetimes > 0):
        number = tested.get(tuple(tree.members(int(merge)).tolist()), -1)
        reason = "" if number >= 0 else NESTED if eligible[merge] else SHORT
        rows.append((tree.birth[merge], tree.death[merge], tree.sizes[merge], number, reason))
    return pd.DataFrame(rows, columns=["birth", "death", "neurons", "component", "reason"]), threshold
