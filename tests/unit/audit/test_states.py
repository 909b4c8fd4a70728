"""The states that an audit compares: how many there are, in which order, and what a model does not have."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dkn.audit.states import FLIPPED, MENDED, STEP, comparisons, ends, missing_switches, switches_of
from dkn.study.protocol import RELEASED, SWITCHES, TEXT

FAMILIES = pytest.mark.parametrize("gated", [False, True], ids=["gpt2", "llama"])


def test_every_family_lacks_what_the_release_does_not_have_for_it() -> None:
    assert set(missing_switches(False)) == {"connection"}
    assert set(missing_switches(True)) == {"trained", "steps", "tuned_sets", "questions"}
    assert "do not" in (why := missing_switches(True)["steps"]) or "does not" in why
    assert missing_switches(False)["connection"] == SWITCHES["connection"].note


@FAMILIES
def test_a_model_has_all_other_switches_in_their_order(gated: bool) -> None:
    assert switches_of(gated) == tuple(name for name in SWITCHES if name not in missing_switches(gated))
    assert ends(gated) == {TEXT: frozenset(), RELEASED: frozenset(switches_of(gated))}


@FAMILIES
def test_all_flips_come_first_then_all_mends_then_the_path(gated: bool) -> None:
    found, names = list(comparisons(gated)), switches_of(gated)
    assert [one.direction for one in found] == [FLIPPED] * len(names) + [MENDED] * len(names) + [STEP] * len(names)
    assert [one.switch for one in found] == [*names] * 3


@FAMILIES
def test_two_compared_states_differ_in_the_switch(gated: bool) -> None:
    everything = frozenset(switches_of(gated))
    for one in comparisons(gated):
        assert one.before ^ one.after == {one.switch}
        if one.direction == FLIPPED:
            assert (one.before, one.after) == (frozenset(), {one.switch})
        if one.direction == MENDED:
            assert (one.before, one.after) == (everything, everything - {one.switch})


@FAMILIES
def test_the_path_leads_from_the_text_to_the_release(gated: bool) -> None:
    path = [one for one in comparisons(gated) if one.direction == STEP]
    assert (path[0].before, path[-1].after) == (frozenset(), frozenset(switches_of(gated)))
    assert all(one.after == following.before for one, following in pairwise(path))
    assert all(one.before < one.after for one in path)
