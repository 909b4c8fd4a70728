"""Random groups of the sizes of others."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dkn.structure.controls import random_partition


@settings(max_examples=100)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), spare=st.integers(0, 5), seed=st.integers(0, 99))
def test_the_control_matches_sizes_and_is_disjoint(sizes: list[int], spare: int, seed: int) -> None:
    groups = random_partition(sizes, sum(sizes) + spare, np.random.default_rng(seed))
    assert [len(group) for group in groups] == sizes
    joined = np.concatenate(groups)
    assert len(set(joined.tolist())) == len(joined)
    assert joined.max() < sum(sizes) + spare


def test_the_control_reaches_every_neuron() -> None:
    """It draws from all of a fact's neurons, not from those in components."""
    draw = np.random.default_rng(0)
    seen = {int(place) for _ in range(200) for group in random_partition([2, 2], 8, draw) for place in group}
    assert seen == set(range(8))
