"""The explorer's merges, replayed as its page does."""

from __future__ import annotations


def replayed(points: int, merges: list[list[int]], step: int) -> set[frozenset[int]]:
    """The components after a step, as the page finds them."""
    members = [frozenset([place]) for place in range(points)]
    top = set(range(points))
    for left, right, when in merges:
        if when > step:
            break
        top = (top - {left, right}) | {len(members)}
        members.append(members[left] | members[right])
    return {members[node] for node in top}
