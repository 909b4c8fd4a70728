"""The overlap experiment: do the neurons that full fine-tuning changes most carry the facts it taught? (docs/method.md)

The relative change of every neuron, in the run that trained all parameters, is read as a detector of a fact's
degenerate knowledge neurons. They are compared with the fact's knowledge neurons and with random neurons, which are
matched by layer alone, or by layer and activation, because a neuron that is active on the new facts has a large
gradient, whatever it carries. Adam's steps have about the same size whatever the size of the gradient, so that a
relative change is large where the vector is short. The neurons are therefore ranked by their absolute change as well.

A part says which change of a neuron is ranked: the relative change of its reading vector, of its writing vector, or of
both together, or the absolute change of both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dkn.neurons.sets import NeuronSet, activation_strata, layer_strata, matching_draw, union
from dkn.randomness import generator
from dkn.study.names import DKN, KN, MATCHED, RANDOM

PARTS = ("reading", "writing", "both", "absolute")
CURVE_POINTS = 20  # the evenly spaced sizes of the top are multiples of 1 / CURVE_POINTS of all neurons


@dataclass(frozen=True)
class OverlapSettings:
    """The settings of the overlap experiment.

    Attributes:
        draws: the number of random sets of each kind, for every fact and for the union of all facts.
        seed: the seed of the study.
    """

    draws: int
    seed: int


@dataclass(frozen=True)
class Changes:
    """How much full fine-tuning changed every neuron.

    Attributes:
        ranks: for each part (layers, neurons) the rank of the change; the least changed neuron has rank 1.
        activation: (layers, neurons) the mean absolute activation on the new facts.
    """

    ranks: dict[str, np.ndarray]
    activation: np.ndarray

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> Changes:
        """Return the changes from a table with the columns of ``schemas.CHANGES`` that has a row for every neuron."""
        ordered = table.sort_values(["layer", "neuron"])
        shape = (ordered["layer"].nunique(), -1)
        ranks = {part: rankdata(ordered[part]).reshape(shape) for part in PARTS}
        return cls(ranks, ordered["activation"].to_numpy().reshape(shape))

    def auroc(self, part: str, members: NeuronSet) -> float:
        """Return the probability that a member changed more than a neuron that is no member (ties count half).

        It is 1/2, that of chance, where one of the two does not exist.

        Args:
            part: the part by which changes are ranked.
            members: the neuron set.
        """
        ranks = self.ranks[part][members.layers, members.neurons]
        size, others = len(members), self.activation.size - len(members)
        return float((ranks.sum() - size * (size + 1) / 2) / (size * others)) if size * others else 0.5

    def top(self, part: str, size: int) -> np.ndarray:
        """Return (layers, neurons) whether a neuron is among the ``size`` most changed ones.

        Of neurons that changed equally, those of lower layers and of lower indices come first.
        """
        order = np.argsort(-self.ranks[part], axis=None, kind="stable")
        chosen = np.zeros(self.activation.size, dtype=bool)
        chosen[order[:size]] = True
        return chosen.reshape(self.activation.shape)


def _sets(
    key: str, dkn: NeuronSet, kn: NeuronSet, changes: Changes, settings: OverlapSettings
) -> Iterator[tuple[str, int, NeuronSet]]:
    """Yield name, draw and neurons of the neuron sets of one fact, or of the union of all facts."""
    yield DKN, 0, dkn
    yield KN, 0, kn
    for name, strata in (
        (RANDOM, layer_strata(*changes.activation.shape)),
        (MATCHED, activation_strata(changes.activation)),
    ):
        generate = generator(settings.seed, f"overlap/{name}", key)
        for number in range(settings.draws):
            yield name, number, matching_draw(dkn, strata, generate)


def overlap_records(
    facts: pd.DataFrame,
    dkn: Mapping[str, NeuronSet],
    kn: Mapping[str, NeuronSet],
    changes: Changes,
    settings: OverlapSettings,
) -> pd.DataFrame:
    """Compare the most changed neurons with every fact's neuron sets: one row per fact, set, draw and part.

    Args:
        facts: the new facts, with columns fact_id, subject and relation.
        dkn, kn: the degenerate knowledge neurons and the knowledge neurons of each fact.
        changes: those of the run that taught the facts.
        settings: the number of draws, and the seed.
    Returns:
        The columns of ``schemas.OVERLAP``: ``auroc`` is that of the change as a detector of the set, and ``share`` the
        share of the set's neurons among the most changed, as many as the union of all facts' DKNs has.
    """
    size = len(union(dkn[fact_id] for fact_id in facts["fact_id"]))
    top = {part: changes.top(part, size) for part in PARTS}
    rows = [
        {
            **fact,
            "neuron_set": name,
            "draw": number,
            "part": part,
            "neurons": len(members),
            "auroc": changes.auroc(part, members),
            "share": float(top[part][members.layers, members.neurons].mean()),
        }
        for fact in facts[["fact_id", "subject", "relation"]].to_dict("records")
        for name, number, members in _sets(
            fact["fact_id"], dkn[fact["fact_id"]], kn[fact["fact_id"]], changes, settings
        )
        for part in PARTS
    ]
    return pd.DataFrame(rows)


def overlap_curves(dkn: NeuronSet, kn: NeuronSet, changes: Changes, settings: OverlapSettings) -> pd.DataFrame:
    """Count how many neurons of the unions of all facts' sets are among the most changed, for several sizes of the top.

    The top consists of the most changed neurons. Its sizes are |D|, |N|, and evenly spaced ones.

    Args:
        dkn, kn: the unions of all facts' degenerate knowledge neurons and knowledge neurons.
        changes: those of the run that taught the facts.
        settings: the number of draws, and the seed.
    Returns:
        The columns of ``schemas.OVERLAP_CURVES``, one row per set, draw, part and size of the top.
    """
    total = changes.activation.size
    sizes = sorted({len(dkn), len(kn), *(np.linspace(0, total, CURVE_POINTS + 1)[1:-1].astype(int).tolist())})
    tops = {(part, size): changes.top(part, size) for part in PARTS for size in sizes}
    rows = [
        {
            "neuron_set": name,
            "draw": number,
            "part": part,
            "neurons": len(members),
            "total": total,
            "auroc": changes.auroc(part, members),
            "top": size,
            "overlap": int(top[members.layers, members.neurons].sum()),
        }
        for name, number, members in _sets("", dkn, kn, changes, settings)
        for (part, size), top in tops.items()
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
