"""The degeneracy experiment: do a fact's components stand in for each other? (docs/method.md)

A component is a group of a fact's knowledge neurons. The experiment suppresses every proper subset of a fact's
components, and all of them together. If the components are degenerate, losing some costs little and losing all costs
much. The control does the same with random groups of the same sizes, drawn from the same fact's knowledge neurons, so
that the numbers of suppressed neurons match exactly. What is specific to the fact is what as many neurons of other
facts do not cost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact, batches
from dkn.decoder.loading import LanguageModel
from dkn.neurons.asking import Asking
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.other_facts import sets_of_other_facts
from dkn.neurons.sets import NO_NEURONS, NeuronSet, dkn_sets, joined
from dkn.progress import progress
from dkn.randomness import generator
from dkn.storage.schemas import DEGENERACY
from dkn.structure.controls import random_partition
from dkn.study.names import CONTROL, NTC, OTHER_FACTS, SELECTIONS, TESTED_CONTROLS


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
    """The components of one fact, or what is suppressed in their place in one draw of a control.

    Attributes:
        selection: ``bdc`` (the components that pass the functional test) or ``candidate`` (all components).
        grouping: the method that found the groups, or the name of the control.
        repeat: the number of the draw; zero for a method's own components.
        parts: the neurons of each group, of which no two share one; a single set is only suppressed as a whole.
        experiment: the grouping in whose records these groups stand; a control stands in those of its method.
    """

    selection: str
    grouping: str
    repeat: int
    parts: list[NeuronSet]
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
    return sum(min(2 ** len(group.parts) - 1, settings.max_subsets + 1) for group in groups)


def with_controls(
    fact_id: str,
    selection: str,
    places: list[np.ndarray],
    members: NeuronSet,
    settings: DegeneracySettings,
    grouping: str,
) -> list[Groups]:
    """Return a fact's components, followed by the random partitions of their control.

    Args:
        fact_id: the fact, which keys the random draws together with the seed, the grouping and the selection.
        selection: ``bdc`` or ``candidate``.
        places: for each component the positions of its neurons in the fact's list of knowledge neurons.
        members: the fact's knowledge neurons.
        settings: the number of partitions and the seed.
        grouping: the method that found the components.
    """
    sizes = [len(group) for group in places]
    draw = generator(settings.seed, f"{CONTROL}/{grouping}/{selection}", fact_id)
    controls = [random_partition(sizes, len(members), draw) for _ in range(settings.partitions)]
    return [
        Groups(selection, grouping, 0, [members.take(group) for group in places], grouping),
        *(
            Groups(selection, CONTROL, repeat, [members.take(group) for group in groups], grouping)
            for repeat, groups in enumerate(controls)
        ),
    ]


def _plan(
    fact_id: str, groups: Sequence[Groups], settings: DegeneracySettings
) -> Iterator[tuple[Groups, tuple[int, ...], NeuronSet]]:
    """Yield every intervention of one fact: its groups, the numbers of the suppressed ones, and their neurons.

    A method and its controls suppress the same subsets; the full set comes last.
    """
    for group in groups:
        count = len(group.parts)
        draw = generator(settings.seed, f"subsets/{group.selection}", fact_id)
        for subset in (*proper_subsets(count, settings.max_subsets, draw), tuple(range(count))):
            yield group, subset, joined([group.parts[component] for component in subset])


def degeneracy_records(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    groups: dict[str, list[Groups]],
    settings: DegeneracySettings,
    edits: EditSettings = AS_TEXT,
) -> pd.DataFrame:
    """Return the records of a batch of facts whose answers have the same number of tokens.

    Args:
        adapter: the model.
        facts: the batch.
        groups: the components and controls of each fact.
        settings: the largest number of subsets, and the seed.
        edits: where values are edited, and in which contexts Prob is read off.
    Returns:
        The columns of ``schemas.DEGENERACY`` without subject and relation, and the column ``experiment``. The
        log-probabilities are natural logarithms of Prob.
    """
    plans = [list(_plan(fact.fact_id, groups[fact.fact_id], settings)) for fact in facts]
    variants = [[NO_NEURONS, *(edit for _, _, edit in plan)] for plan in plans]
    log_probs_of_facts = answer_log_probs(adapter, facts, variants, edits=edits)
    rows = []
    for fact, plan, log_probs in zip(facts, plans, log_probs_of_facts, strict=True):
        total = log_probs.sum(1)
        for (group, subset, edit), after in zip(plan, total[1:], strict=True):
            rows.append(
                {
                    "fact_id": fact.fact_id,
                    "experiment": group.experiment,
                    "selection": group.selection,
                    "grouping": group.grouping,
                    "repeat": group.repeat,
                    "components": len(group.parts),
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

    A tested control has neither a control of its own nor the selection ``candidate``: it is compared with NTC's groups
    that passed the same test.

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
            of_fact = members[fact_id]
            if grouping not in TESTED_CONTROLS:
                yield fact_id, with_controls(fact_id, selection, places, of_fact, settings, grouping)
            elif selection == "bdc":
                parts = [of_fact.take(group) for group in places]
                yield fact_id, [Groups(selection, grouping, int(repeat), parts, grouping)]


def groups_of_other_facts(
    components: pd.DataFrame, members: dict[str, NeuronSet], facts: pd.DataFrame, settings: DegeneracySettings
) -> Iterator[tuple[str, list[Groups]]]:
    """Yield for every degenerate fact its id and as many neurons of the DKN of other facts as its own DKN has.

    A fact's DKN is the union of its base degenerate components. Another fact's DKN is suppressed as a whole, since its
    neurons are no components of the fact.

    Args:
        components: NTC's tested components, with the columns of ``schemas.COMPONENTS``.
        members: the knowledge neurons of each fact.
        facts: the columns subject and relation, indexed by fact id.
        settings: the number of draws for each kind of other facts, as many as partitions, and the seed.
    """
    dkns, degenerate = dkn_sets(components, members), dkn_sets(components, members, fewest=2)
    for kind in OTHER_FACTS:
        drawn = sets_of_other_facts(dkns, facts, kind, settings.partitions, settings.seed)
        for fact_id in degenerate:
            yield fact_id, [Groups("bdc", kind, repeat, [one], NTC) for repeat, one in enumerate(drawn[fact_id])]


def degeneracy_table(
    model: LanguageModel,
    studied: pd.DataFrame,
    members: dict[str, NeuronSet],
    components: Mapping[str, pd.DataFrame],
    settings: DegeneracySettings,
    asking: Asking,
    selections: Collection[str] = tuple(SELECTIONS),
) -> pd.DataFrame:
    """Suppress subsets of the components of every grouping; all groupings of a fact are computed at once.

    Args:
        model: the model.
        studied: all facts, indexed by fact_id.
        members: each fact's knowledge neurons.
        components: the tested components by grouping, with the columns of ``schemas.COMPONENTS``.
        settings: the settings of the experiment.
        asking: how facts are put to the model.
        selections: the selections of a fact's components that are suppressed.
    Returns:
        The columns of ``schemas.DEGENERACY`` and ``experiment``, the grouping in whose records a row stands.
    """
    groups: dict[str, list[Groups]] = {}
    for name, tested in components.items():
        found = [all_groups(tested, members, name, settings)]
        if name == NTC:
            found.append(groups_of_other_facts(tested, members, studied, settings))
        for fact_id, groups_of_fact in chain(*found):
            if wanted := [group for group in groups_of_fact if group.selection in selections]:
                groups.setdefault(fact_id, []).extend(wanted)
    chosen = studied.loc[list(groups)]
    tables = [pd.DataFrame(columns=[*DEGENERACY.names, "experiment"])]
    encoded = asking.encoded(model, chosen)
    grouped = batches(encoded, asking.batch, alike=lambda fact: interventions(groups[fact.fact_id], settings))
    for group in progress(list(grouped), "degeneracy", unit="batch"):
        tables.append(degeneracy_records(model.adapter, group, groups, settings, edits=asking.edits))
    records = pd.concat(tables[1:] or tables, ignore_index=True)
    about = chosen[["subject", "relation"]]
    records = records.drop(columns=about.columns, errors="ignore").join(about, on="fact_id")
    order = ["fact_id", "selection", "grouping", "repeat", "suppressed_components"]
    return records.sort_values(order, ignore_index=True, kind="stable")
