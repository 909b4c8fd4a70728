"""Random groups of a fact's knowledge neurons, the control that every grouping is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
