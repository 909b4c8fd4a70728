"""From radius to components: the explorer's merges against an independent clustering."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from dkn.pages.filtration import bars, colour_slots, merging
from dkn.structure.dendrogram import dendrogram
from dkn.structure.ntc import NTCSettings, ntc
from tests.unit.merges import replayed


def random_distances(seed: int, points: int = 14, ties: bool = False) -> np.ndarray:
    """Symmetric distances of which half are infinite; with ties there are three values only."""
    draw = np.random.default_rng(seed)
    upper = np.triu(draw.integers(1, 4, (points, points)) if ties else draw.random((points, points)) + 0.1, 1)
    upper[draw.random((points, points)) < 0.5] = 0
    full = upper + upper.T
    return np.where(full > 0, full, np.inf).astype(np.float32)


def connected(distances: np.ndarray, radius: float) -> set[frozenset[int]]:
    """The components at a radius, from the distances alone."""
    _, labels = connected_components(distances <= radius)
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_merges_up_to_a_step_are_what_is_connected_at_its_radius(seed: int, ties: bool) -> None:
    distances = random_distances(seed, ties=ties)
    found = merging(distances, 0.2)
    merges = np.column_stack([found.tree.children, found.step]).tolist()
    assert np.all(np.diff(found.radii) > 0)
    for step, radius in enumerate([0.0, *found.radii]):
        assert replayed(len(distances), merges, step) == connected(distances, radius)
    assert replayed(len(distances), merges, found.limit_step) == connected(distances, found.limit)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_ntcs_candidate_is_a_component_of_the_page_from_birth_to_death(seed: int, ties: bool) -> None:
    distances = random_distances(seed, ties=ties)
    settings = NTCSettings("difference", 0.05, 0.8, 2)
    found = merging(distances, settings.quantile)
    merges = np.column_stack([found.tree.children, found.step]).tolist()
    candidates = ntc(distances, settings)
    assert candidates
    for candidate in candidates:
        members = frozenset(candidate.members.tolist())
        for step, radius in enumerate(found.radii, start=1):
            if radius < found.limit:
                alive = candidate.birth <= radius < candidate.death
                assert (members in replayed(len(distances), merges, step)) == alive
        assert found.tree.members(found.merge_of(candidate.members)).tolist() == sorted(members)
    with pytest.raises(ValueError, match="no component"):
        found.merge_of(np.array([0]))


@pytest.mark.parametrize("seed", range(8))
def test_a_growing_component_keeps_its_colour_and_chosen_ones_come_first(seed: int) -> None:
    distances = random_distances(seed)
    tree, found = dendrogram(distances), merging(distances, 0.8)
    first = [found.merge_of(part.members) for part in ntc(distances, NTCSettings("difference", 0.05, 0.8, 2))]
    slots = colour_slots(tree, first)
    assert [slots[merge] for merge in first] == list(range(len(first)))
    for merge, children in enumerate(tree.children):
        parts = sorted((tree.sizes[child - tree.points], child) for child in children if child >= tree.points)
        if parts and parts[-1][0] > parts[0][0]:
            assert slots[merge] == slots[parts[-1][1] - tree.points]
    for step in range(len(found.radii) + 1):
        alive = set(range(step)) - {c - tree.points for pair in tree.children[:step] for c in pair}
        assert len({slots[merge] for merge in alive}) == len(alive), "two components of a step share a slot"


def test_a_cluster_that_ties_cut_in_two_has_the_merge_over_it() -> None:
    """All four are joined at 1; in the order of the edges {0, 1} and {2, 3} could be first, or {0, 1, 2}."""
    distances = np.ones((5, 5)) - np.eye(5)
    distances[4, :4] = distances[:4, 4] = 2
    found = merging(distances, 1.0)
    for places in ([0, 1], [2, 3], [1, 3], [0, 1, 2, 3], [0, 4]):
        merge = found.merge_over(np.array(places))
        assert set(places) <= set(found.tree.members(merge).tolist())
        assert not any(set(places) <= set(found.tree.members(earlier).tolist()) for earlier in range(merge))


def test_bars_say_what_became_of_a_component() -> None:
    """Pairs merge at 1, 2 and 9, two of them at 4, all at 12; a loose pair at 11.8 is too short-lived."""
    distances = np.full((8, 8), np.inf, dtype=np.float32)
    np.fill_diagonal(distances, 0)
    for first, second, distance in [(0, 1, 1), (2, 3, 2), (1, 2, 4), (4, 5, 9), (3, 4, 12), (6, 7, 11.8)]:
        distances[first, second] = distances[second, first] = distance
    settings = NTCSettings("difference", 0.05, 1.0, 2)
    chosen = {tuple(part.members.tolist()): n for n, part in enumerate(ntc(distances, settings))}
    assert chosen == {(0, 1, 2, 3): 0, (4, 5): 1}
    frame, threshold = bars(distances, settings, chosen)
    assert threshold == 0.05
    assert frame["birth"].tolist() == pytest.approx([1, 2, 4, 9, 11.8])
    assert frame["death"].tolist() == pytest.approx([4, 4, 12, 12, 12])
    assert frame["neurons"].tolist() == [2, 2, 4, 2, 2]
    assert frame["reason"].tolist() == ["nested", "nested", "", "", "short"]
    assert frame["component"].tolist() == [-1, -1, 0, 1, -1]
