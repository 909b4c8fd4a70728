"""One fact's filtration as a page can replay it: the list of its merges, and the bars of its barcode."""

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
    """Single linkage of a fact's neurons to the end, in steps: all merges at one radius are one step.

    Attributes:
        tree: the dendrogram over all finite distances.
        radii: (steps,) the distinct radii of merges, ascending. Before the first, at step 0, every neuron is alone.
        step: (merges,) the step of each merge, counted from 1.
        limit: the radius where NTC's filtration stops.
        limit_step: the last step that NTC's filtration reaches.
    """

    tree: Dendrogram
    radii: np.ndarray
    step: np.ndarray
    limit: float
    limit_step: int

    def merge_of(self, places: np.ndarray) -> int:
        """The merge whose component has exactly these places, ascending."""
        for merge in np.flatnonzero(self.tree.sizes == len(places)):
            if np.array_equal(self.tree.members(int(merge)), places):
                return int(merge)
        raise ValueError(f"no component of the filtration has the places {list(places)}")


def merging(distances: np.ndarray, quantile: float) -> Merging:
    """The steps of an (n, n) distance matrix with a finite distance, and where NTC's filtration stops."""
    tree = dendrogram(distances)
    radii, inverse = np.unique(tree.birth, return_inverse=True)
    _, limit = filtration(distances, quantile)
    return Merging(tree, radii, inverse + 1, limit, int(np.searchsorted(radii, limit, side="right")))


def colour_slots(tree: Dendrogram, first: Sequence[int]) -> list[int]:
    """(merges,) which of a list of colours each component gets, so that it keeps it while it grows.

    A merge takes over the slot of its larger part that is itself a component, or a new one if it joins two neurons.

    Args:
        tree: the dendrogram.
        first: merges, no two nested, that get the slots 0, 1, … in this order.
    """
    slot: list[int] = []
    for left, right in tree.children.tolist():
        parts = [child - tree.points for child in (left, right) if child >= tree.points]
        slot.append(slot[max(parts, key=lambda part: tree.sizes[part])] if parts else len(slot))
    order = {name: number for number, name in enumerate(dict.fromkeys([slot[merge] for merge in first] + slot))}
    return [order[name] for name in slot]


def bars(
    distances: np.ndarray, settings: NTCSettings, tested: Mapping[tuple[int, ...], int]
) -> tuple[pd.DataFrame, float]:
    """The components that live for a while before the limit, what became of them, and the threshold on persistence.

    Args:
        distances: (n, n) distance matrix with a finite distance.
        settings: NTC's.
        tested: places of each component that went to the functional test -> its number.
    Returns:
        A frame in the order of births: birth, death, neurons, component (number, or -1) and reason: ``short``
        (persistence not above the threshold, or too few neurons), ``nested`` (enough of it, but a component that
        contains it, or several within it, have more together) or empty. And the threshold.
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
