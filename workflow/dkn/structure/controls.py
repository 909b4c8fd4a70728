"""Controls of a grouping: random groups of a fact's knowledge neurons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dkn.errors import UserError
from dkn.study.names import SHUFFLED, TESTED_CONTROL, TESTED_CONTROLS


def random_partition(sizes: Sequence[int], neurons: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Draw disjoint random groups of a fact's knowledge neurons.

    Args:
        sizes: the sizes of the groups, at least one.
        neurons: the number of the fact's knowledge neurons.
    Returns:
        For each group its neurons' indices, ascending.
    Raises:
        ValueError: the groups have more neurons than the fact.
    """
    order = generator.permutation(neurons)
    ends = np.cumsum(sizes)
    if ends[-1] > neurons:
        raise ValueError(f"groups of sizes {list(sizes)} do not fit into {neurons} neurons")
    return [np.sort(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def exchanged_within_layers(
    groups: Sequence[np.ndarray], layers: np.ndarray, generator: np.random.Generator
) -> list[np.ndarray]:
    """Return the groups after the knowledge neurons of every layer have exchanged their weight vectors at random.

    Distances depend on vectors and layers alone. So whatever was found from them is found again, at the same births and
    deaths, with the neurons that now have the vectors as members.

    Args:
        groups: for each group its neurons' indices.
        layers: (neurons,), the layers of the fact's knowledge neurons.
    Returns:
        For each group its new neurons' indices, ascending; as many of every layer as before.
    """
    order = generator.permutation(len(layers))
    new = np.empty(len(layers), dtype=int)
    new[np.argsort(layers, kind="stable")] = order[np.argsort(layers[order], kind="stable")]
    return [np.sort(new[group]) for group in groups]


def control_groups(
    name: str, groups: Sequence[np.ndarray], layers: np.ndarray, generator: np.random.Generator
) -> list[np.ndarray]:
    """Return one draw of the groups that a tested control has in place of a fact's groups, as many and as large.

    Args:
        name: ``random``, groups of any of the fact's knowledge neurons, or ``shuffled``, see
            ``exchanged_within_layers``.
        groups: for each group its neurons' indices.
        layers: (neurons,), the layers of the fact's knowledge neurons.
    Raises:
        UserError: there is no tested control of this name.
    """
    if name == TESTED_CONTROL:
        return random_partition([len(group) for group in groups], len(layers), generator)
    if name == SHUFFLED:
        return exchanged_within_layers(groups, layers, generator)
    raise UserError(f"unknown tested control {name!r}; allowed: {', '.join(TESTED_CONTROLS)}")
