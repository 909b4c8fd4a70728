"""The degeneracy experiment: do a fact's components stand in for each other? (docs/method.md)

A component is a group of a fact's knowledge neurons. The experiment suppresses every proper subset of a fact's
components, and all of them together. If the components are degenerate, losing some costs little and losing all costs
much. The control does the same with random groups of the same sizes, drawn from the same fact's knowledge neurons, so
that the numbers of suppressed neurons match exactly.
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
    """The settings of the degeneracy experiment.

    Attributes:
        max_subsets: about how many proper subsets of a fact's components are suppressed at most.
        partitions: the number of random partitions of the control, per fact.
        seed: the seed of the study.
    """

    max_subsets: int
    partitions: int
    seed: int


@dataclass(frozen=True)
class Groups:
    """The components of one fact, or the groups of one draw of their control.

    Attributes:
        selection: ``bdc`` (the components that pass the functional test) or ``candidate`` (all components).
        grouping: the method that found the groups, or the name of the control.
        repeat: the number of the random partition; zero for a method's own components.
        places: for each group the positions of its neurons in the fact's list of knowledge neurons.
        experiment: the grouping in whose records these groups stand; a control stands in those of its method.
    """

    selection: str
    grouping: str
    repeat: int
    places: list[np.ndarray]
    experiment: str


def proper_subsets(components: int, limit: int, draw: np.random.Generator) -> list[tuple[int, ...]]:
    """Return non-empty proper subsets of a number of components.

    Args:
        components: the number of components, at least two.
        limit: about how many subsets are returned at most; where there are more, as many are drawn of every size.
        draw: the source of the random choice.
    Returns:
        Tuples of ascending component numbers, which count from zero, the smallest subsets first.
    """
    sizes = range(1, components)
    if 2**components - 2 <= limit:
        return [subset for size in sizes for subset in combinations(range(components), size)]
    per_size = max(1, limit // len(sizes))
    chosen: list[tuple[int, ...]] = []
    for size in sizes:
        if comb(components, size) <= per_size:
            chosen.extend(combinations(range(components), size))
            continue
        drawn: dict[tuple[int, ...], None] = {}
        while len(drawn) < per_size:
            numbers = draw.choice(components, size, replace=False)
            drawn[tuple(sorted(int(number) for number in numbers))] = None
        chosen.extend(drawn)
    return chosen


def interventions(groups: Sequence[Groups], settings: DegeneracySettings) -> int:
    """Return about how many subsets of one fact's groups are suppressed, the full sets among them."""
    return sum(min(2 ** len(group.places) - 1, settings.max_subsets + 1) for group in groups)


def with_controls(
    fact_id: str, selection: str, places: list[np.ndarray], neurons: int, settings: DegeneracySettings, grouping: str
) -> list[Groups]:
    """Return a fact's components, followed by the random partitions of their control.

    Args:
        fact_id: the fact, which keys the random draws together with the seed, the grouping and the selection.
        selection: ``bdc`` or ``candidate``.
        places: for each component the positions of its neurons in the fact's list of knowledge neurons.
        neurons: the number of the fact's knowledge neurons.
        settings: the number of partitions and the seed.
        grouping: the method that found the components.
    """
    sizes = [len(group) for group in places]
    draw = generator(settings.seed, f"{CONTROL}/{grouping}/{selection}", fact_id)
    controls = [random_partition(sizes, neurons, draw) for _ in range(settings.partitions)]
    return [
        Groups(selection, grouping, 0, places, grouping),
        *(Groups(selection, CONTROL, repeat, groups, grouping) for repeat, groups in enumerate(controls)),
    ]


def _plan(
    fact_id: str, members: NeuronSet, groups: Sequence[Groups], settings: DegeneracySettings
) -> Iterator[tuple[Groups, tuple[int, ...], NeuronSet]]:
    """Yield every intervention of one fact: its groups, the numbers of the suppressed ones, and their neurons.

    A method and its controls suppress the same subsets; the full set comes last.
    """
    for group in groups:
        count = len(group.places)
        draw = generator(settings.seed, f"subsets/{group.selection}", fact_id)
        for subset in (*proper_subsets(count, settings.max_subsets, draw), tuple(range(count))):
            yield group, subset, members.take(np.concatenate([group.places[component] for component in subset]))


def degeneracy_records(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    groups: dict[str, list[Groups]],
    settings: DegeneracySettings,
) -> pd.DataFrame:
    """Return the records of a batch of facts whose answers have the same number of tokens.

    Args:
        adapter: the model.
        facts: the batch.
        members: the knowledge neurons of each fact.
        groups: the components and controls of each fact.
        settings: the largest number of subsets, and the seed.
    Returns:
        The columns of ``schemas.DEGENERACY`` without subject and relation, and the column ``experiment``. The
        log-probabilities are natural logarithms of Prob.
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
    """Yield the id, the components and the controls of every fact with at least two components, for both selections.

    The tested control has neither a control of its own nor the selection ``candidate``, because its untested groups
    are what the other control consists of.

    Args:
        components: one grouping's tested components, with the columns of ``schemas.COMPONENTS``.
        members: the knowledge neurons of each fact.
        grouping: the name of the grouping.
        settings: the number of partitions, and the seed.
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
