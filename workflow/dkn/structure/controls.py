"""Random groups of a fact's knowledge neurons: the control of every grouping (docs/method.md)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def random_partition(sizes: Sequence[int], neurons: int, generator: np.random.Generator) -> list[np.ndarray]:
    """The control: disjoint random groups of the given sizes, drawn from all ``neurons`` of a fact."""
    order = generator.permutation(neurons)
    ends = np.cumsum(sizes)
    if ends[-1] > neurons:
        raise ValueError(f"groups of sizes {list(sizes)} do not fit into {neurons} neurons")
    return [np.sort(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
