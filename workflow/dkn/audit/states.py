"""The states of the switches that an audit compares: one switch flipped, one mended, and a path between the protocols.

A *state* is the set of switches that are as in the released code. The audit flips each switch in the state ``text``, in
which none is; it mends each in the state ``released``, in which all are that the model has; and it walks from the first
to the second, one switch after the other in the order of the analysis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dkn.study.protocol import RELEASED, SWITCHES, TEXT

State = frozenset[str]
FLIPPED, MENDED, STEP = "flipped", "mended", "step"


@dataclass(frozen=True)
class Comparison:
    """Two states that differ in one switch.

    Attributes:
        direction: ``flipped`` (in ``text``), ``mended`` (in ``released``) or ``step`` (of the path).
        switch: the switch.
        before, after: the two states; of a mended switch the second lacks it.
    """

    direction: str
    switch: str
    before: State
    after: State


def switches_of(gated: bool) -> tuple[str, ...]:
    """Return the switches that a model has, in the order of the analysis.

    Args:
        gated: whether the model's MLP has a gate.
    """
    return tuple(name for name, switch in SWITCHES.items() if switch.of_family(gated))


def missing_switches(gated: bool) -> dict[str, str]:
    """Return the switches that a model does not have, each with the reason."""
    return {name: switch.note for name, switch in SWITCHES.items() if not switch.of_family(gated)}


def ends(gated: bool) -> dict[str, State]:
    """Return the two states between which an audit moves, by the names of the protocols."""
    return {TEXT: frozenset(), RELEASED: frozenset(switches_of(gated))}


def comparisons(gated: bool) -> Iterator[Comparison]:
    """Yield the comparisons of an audit: all flips, then all mends, then the steps of the path."""
    text, released = ends(gated).values()
    names = switches_of(gated)
    for name in names:
        yield Comparison(FLIPPED, name, text, text | {name})
    for name in names:
        yield Comparison(MENDED, name, released, released - {name})
    for place, name in enumerate(names):
        yield Comparison(STEP, name, frozenset(names[:place]), frozenset(names[: place + 1]))
