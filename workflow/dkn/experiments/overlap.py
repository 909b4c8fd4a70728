"""The overlap experiment: do the neurons that full fine-tuning changes most carry the facts it taught? (docs/method.md)

The relative change of every neuron, in the runs that trained all parameters, is read as a detector of a fact's
degenerate knowledge neurons. They are compared with the fact's knowledge neurons and with random neurons, which are
matched by layer alone, or by layer and activation, because a neuron that is active on the new facts has a large
gradient, whatever it carries. Adam's steps have about the same size whatever the size of the gradient, so that a
relative change is large where the vector is short. The neurons are therefore ranked by their absolute change as well.

The sets of different facts share neurons. A random draw therefore exchanges the model's neurons once for all facts, so
that their random sets share as many.

A part says which change of a neuron is ranked: the relative change of its reading vector, of its writing vector, or of
both together, or the absolute change of both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dkn.neurons.sets import NeuronSet, activation_strata, exchanged, layer_strata, union
from dkn.randomness import generator
from dkn.study.names import DKN, KN, MATCHED, RANDOM, RANDOM_KN

PARTS = ("reading", "writing", "both", "absolute")
CURVE_POINTS = 20  # the evenly spaced sizes of the top are multiples of 1 / CURVE_POINTS of all neurons


@dataclass(frozen=True)
class OverlapSettings:
    """The settings of the overlap experiment.

    Attributes:
        draws: the number of random exchanges of each kind.
        seed: the seed of the study.
    """

    draws: int
    seed: int


@dataclass(frozen=True)
class Changes:
    """How much one run of full fine-tuning changed every neuron; a neuron's index counts over all layers.

    Attributes:
        ranks: for each part (layers * neurons,) the rank of the change; the least changed neuron has rank 1.
        activation: (layers, neurons) the mean absolute activation on the new facts.
    """

    ranks: dict[str, np.ndarray]
    activation: np.ndarray

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> Changes:
        """Return the changes from a table with the columns of ``schemas.CHANGES`` that has a row for every neuron."""
        ordered = table.sort_values(["layer", "neuron"])
        ranks = {part: rankdata(ordered[part]) for part in PARTS}
        return cls(ranks, ordered["activation"].to_numpy().reshape(ordered["layer"].nunique(), -1))

    def indices(self, members: NeuronSet) -> np.ndarray:
        """Return (1, members) the indices of a set's neurons."""
        return (members.layers * self.activation.shape[1] + members.neurons)[None]

    def auroc(self, part: str, sets: np.ndarray) -> np.ndarray:
        """Return the probability that a member changed more than a neuron that is no member (ties count half).

        It is 1/2, that of chance, where one of the two does not exist.

        Args:
            part: the part by which changes are ranked.
            sets: (sets, members) the indices of the members of neuron sets of one size.
        Returns:
            (sets,) a probability for each of them.
        """
        size, others = sets.shape[1], self.activation.size - sets.shape[1]
        if not size * others:
            return np.full(len(sets), 0.5)
        return (self.ranks[part][sets].sum(1) - size * (size + 1) / 2) / (size * others)

    def top(self, part: str, size: int) -> np.ndarray:
        """Return (layers * neurons,) whether a neuron is among the ``size`` most changed ones.

        Of neurons that changed equally, those of lower layers and of lower indices come first.
        """
        chosen = np.zeros(self.activation.size, dtype=bool)
        chosen[np.argsort(-self.ranks[part], kind="stable")[:size]] = True
        return chosen


@dataclass(frozen=True)
class Exchanges:
    """Random exchanges of the model's neurons, each (draws, layers * neurons): which neuron takes another's place.

    Attributes:
        layer: exchanges within a layer.
        active: exchanges within a layer's groups of about equally active neurons.
    """

    layer: np.ndarray
    active: np.ndarray

    @classmethod
    def drawn(cls, activation: np.ndarray, settings: OverlapSettings) -> Exchanges:
        """Draw the exchanges.

        Args:
            activation: (layers, neurons) the mean absolute activation on the new facts.
            settings: the number of draws, and the seed.
        """
        kinds = {RANDOM: layer_strata(*activation.shape), MATCHED: activation_strata(activation)}
        draws = {
            name: np.stack(
                [exchanged(strata, generator(settings.seed, f"overlap/{name}", str(n))) for n in range(settings.draws)]
            )
            for name, strata in kinds.items()
        }
        return cls(draws[RANDOM], draws[MATCHED])

    def sets(self, dkn: np.ndarray, kn: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the members of every kind of set, one row per draw.

        Args:
            dkn, kn: (1, members) the indices of degenerate knowledge neurons and of knowledge neurons.
        """
        yield DKN, dkn
        yield KN, kn
        yield RANDOM, self.layer[:, dkn[0]]
        yield MATCHED, self.active[:, dkn[0]]
        yield RANDOM_KN, self.layer[:, kn[0]]


def overlap_records(
    facts: pd.DataFrame,
    dkn: Mapping[str, NeuronSet],
    kn: Mapping[str, NeuronSet],
    trainings: Sequence[Changes],
    settings: OverlapSettings,
) -> pd.DataFrame:
    """Compare the most changed neurons with every fact's neuron sets: a row per training, fact, set, draw and part.

    Args:
        facts: the new facts, with columns fact_id, subject and relation.
        dkn, kn: the degenerate knowledge neurons and the knowledge neurons of each fact.
        trainings: the changes of each training that taught the facts.
        settings: the number of draws, and the seed.
    Returns:
        The columns of ``schemas.OVERLAP``: ``auroc`` is that of the change as a detector of the set, and ``share`` the
        share of the set's neurons among the most changed, as many as the union of all facts' DKNs has.
    """
    size = len(union(dkn[fact_id] for fact_id in facts["fact_id"]))
    exchanges = Exchanges.drawn(trainings[0].activation, settings)
    rows = []
    for training, changes in enumerate(trainings):
        top = {part: changes.top(part, size) for part in PARTS}
        for fact in facts[["fact_id", "subject", "relation"]].to_dict("records"):
            own = (changes.indices(sets[fact["fact_id"]]) for sets in (dkn, kn))
            for name, members in exchanges.sets(*own):
                about = {**fact, "training": training, "neuron_set": name, "neurons": members.shape[1]}
                for part in PARTS:
                    measured = zip(changes.auroc(part, members), top[part][members].mean(1), strict=True)
                    rows += [
                        {**about, "part": part, "draw": draw, "auroc": auroc, "share": share}
                        for draw, (auroc, share) in enumerate(measured)
                    ]
    return pd.DataFrame(rows)


def overlap_curves(dkn: NeuronSet, kn: NeuronSet, changes: Changes, settings: OverlapSettings) -> pd.DataFrame:
    """Count how many neurons of the unions of all facts' sets are among the most changed, for several sizes of the top.

    The top consists of the most changed neurons. Its sizes are |D|, |N|, and evenly spaced ones.

    Args:
        dkn, kn: the unions of all facts' degenerate knowledge neurons and knowledge neurons.
        changes: those of one training that taught the facts.
        settings: the number of draws, and the seed.
    Returns:
        The columns of ``schemas.OVERLAP_CURVES``, one row per set, draw, part and size of the top.
    """
    total = changes.activation.size
    sizes = sorted({len(dkn), len(kn), *(np.linspace(0, total, CURVE_POINTS + 1)[1:-1].astype(int).tolist())})
    exchanges = Exchanges.drawn(changes.activation, settings)
    rows = []
    for name, members in exchanges.sets(changes.indices(dkn), changes.indices(kn)):
        about = {"neuron_set": name, "neurons": members.shape[1], "total": total}
        for part in PARTS:
            aurocs = changes.auroc(part, members)
            for size in sizes:
                overlaps = changes.top(part, size)[members].sum(1)
                rows += [
                    {**about, "draw": draw, "part": part, "auroc": auroc, "top": size, "overlap": int(overlap)}
                    for draw, (auroc, overlap) in enumerate(zip(aurocs, overlaps, strict=True))
                ]
    return pd.DataFrame(rows)


def overlap_members(dkn: Mapping[str, NeuronSet], kn: Mapping[str, NeuronSet], fact_ids: Sequence[str]) -> pd.DataFrame:
    """Return every neuron that is in a set of any of the facts, and in the sets of how many facts it is.

    Args:
        dkn, kn: the degenerate knowledge neurons and the knowledge neurons of each fact.
        fact_ids: the facts that count.
    Returns:
        The columns of ``schemas.OVERLAP_MEMBERS``.
    """
    tables = [
        pd.DataFrame({"layer": members.layers, "neuron": members.neurons, "neuron_set": name})
        for name, sets in ((DKN, dkn), (KN, kn))
        for members in (union([sets[fact_id]]) for fact_id in fact_ids)
    ]
    listed = pd.concat(tables)
    counts = pd.crosstab([listed["layer"], listed["neuron"]], listed["neuron_set"])
    return counts.reindex(columns=[DKN, KN], fill_value=0).rename_axis(columns=None).reset_index()
