"""Degeneracy: do a fact's components stand in for each other? (docs/method.md, setting ``degeneracy``)

Every proper subset of a fact's components is suppressed, and all of them together. If components are degenerate,
losing some costs little and losing all costs much. The control does the same with random groups of the same sizes
drawn from the same fact's knowledge neurons, so the numbers of suppressed neurons match exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.randomness import generator
from dkn.structure.controls import random_partition
from dkn.study.names import CONTROL, TESTED_CONTROL


@dataclass(frozen=True)
class DegeneracySettings:
    """``max_subsets`` proper subsets per fact at most; ``partitions`` random partitions for the control."""

    max_subsets: int
    partitions: int
    seed: int


@dataclass(frozen=True)
class Groups:
    """A fact's components, or a control's, as places in its list of knowledge neurons.

    ``experiment`` is the method that they belong to: a method's own groups, or those of its control.
    """

    selection: str
    grouping: str
    repeat: int
    places: list[np.ndarray]
    experiment: str


def proper_subsets(components: int, limit: int, draw: np.random.Generator) -> list[tuple[int, ...]]:
    """Non-empty proper subsets of ``components`` groups: all of them, or about ``limit``, as many of every size."""
    sizes = range(1, components)
    if 2**components - 2 <= limit:
        return [subset for size in sizes for subset in combinations(range(components), size)]
    per_size = max(1, limit // len(sizes))
    chosen: list[tuple[int, ...]] = []
    for size in sizes:
        if comb(components, size) <= per_size:
            chosen.extend(combinations(range(components), size))
            continue
        found: dict[tuple[int, ...], None] = {}
        while len(found) < per_size:
            picked = draw.choice(components, size, replace=False)
            found[tuple(sorted(int(part) for part in picked))] = None
        chosen.extend(found)
    return chosen


def interventions(groups: Sequence[Groups], settings: DegeneracySettings) -> int:
    """About how many subsets of one fact's groups are suppressed."""
    return sum(min(2 ** len(group.places) - 1, settings.max_subsets + 1) for group in groups)


def with_controls(
    fact_id: str, selection: str, places: list[np.ndarray], neurons: int, settings: DegeneracySettings, grouping: str
) -> list[Groups]:
    """A fact's components followed by its random partitions, drawn by seed, selection and fact."""
    sizes = [len(part) for part in places]
    draw = generator(settings.seed, f"{CONTROL}/{grouping}/{selection}", fact_id)
    controls = [random_partition(sizes, neurons, draw) for _ in range(settings.partitions)]
    return [
        Groups(selection, grouping, 0, places, grouping),
        *(Groups(selection, CONTROL, repeat, parts, grouping) for repeat, parts in enumerate(controls)),
    ]


def _plan(
    fact_id: str, members: NeuronSet, groups: Sequence[Groups], settings: DegeneracySettings
) -> Iterator[tuple[Groups, tuple[int, ...], NeuronSet]]:
    """Every intervention of one fact: the same subsets for a method and its controls, the full set last."""
    for group in groups:
        count = len(group.places)
        draw = generator(settings.seed, f"subsets/{group.selection}", fact_id)
        for subset in (*proper_subsets(count, settings.max_subsets, draw), tuple(range(count))):
            yield group, subset, members.take(np.concatenate([group.places[part] for part in subset]))


def degeneracy_records(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    groups: dict[str, list[Groups]],
    settings: DegeneracySettings,
) -> pd.DataFrame:
    """Records of a batch of facts whose answers have the same number of tokens; columns as in ``tables.DEGENERACY``
    without subject and relation, and ``experiment``.
    """
    plans = [list(_plan(fact.fact_id, members[fact.fact_id], groups[fact.fact_id], settings)) for fact in facts]
    variants = [[NO_NEURONS, *(edit for _, _, edit in plan)] for plan in plans]
    rows = []
    for fact, plan, log_probs in zip(facts, plans, answer_log_probs(adapter, facts, variants), strict=True):
        total = log_probs.sum(1)
        for (group, subset, edit), after in zip(plan, total[1:], strict=True):
            rows.append(
                {
                    "fact_id": fact.fact_id,
                    "experiment": group.experiment,
                    "selection": group.selection,
                    "grouping": group.grouping,
                    "repeat": group.repeat,
                    "components": len(group.places),
                    "suppressed": list(subset),
                    "suppressed_components": len(subset),
                    "suppressed_neurons": len(edit),
                    "log_prob_before": total[0],
                    "log_prob_after": after,
                }
            )
    return pd.DataFrame(rows)


def all_groups(
    components: pd.DataFrame, members: dict[str, NeuronSet], grouping: str, settings: DegeneracySettings
) -> Iterator[tuple[str, list[Groups]]]:
    """For every fact with at least two components its groups and controls, for both selections.

    The tested control needs no control of its own, and its untested groups are what the other control is.
    """
    for (fact_id, repeat), frame in components.groupby(["fact_id", "repeat"]):
        kept = frame[frame["kept"]]
        for selection, chosen in (("bdc", kept), ("candidate", frame)):
            places = list(chosen["places"])
            if len(places) < 2:
                continue
            if grouping != TESTED_CONTROL:
                yield fact_id, with_controls(fact_id, selection, places, len(members[fact_id]), settings, grouping)
            elif selection == "bdc":
                yield fact_id, [Groups(selection, grouping, int(repeat), places, grouping)]
