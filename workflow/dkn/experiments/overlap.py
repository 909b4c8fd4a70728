"""Overlap: do the neurons that full fine-tuning changes most carry the facts it taught? (docs/method.md)

The relative change of every neuron, from the run that trained all parameters, is read as a detector of a fact's
degenerate knowledge neurons; beside them stand its knowledge neurons and random neurons, matched by layer alone or by
layer and activation (a neuron that is active on the new facts has a large gradient, whatever it carries). Adam's steps
are of one size whatever the gradient's, so a relative change is large where the vector is short: the absolute change
is ranked too.
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
CURVE_POINTS = 20


@dataclass(frozen=True)
class OverlapSettings:
    """``draws`` random sets of each kind, per fact and for the union of the facts."""

    draws: int
    seed: int


@dataclass(frozen=True)
class Changes:
    """(layers, neurons) ranks of each part's change, 1 the least changed, and mean absolute activations."""

    ranks: dict[str, np.ndarray]
    activation: np.ndarray

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> Changes:
        """From the rows of ``tables.CHANGES`` of a run that trained every neuron."""
        ordered = table.sort_values(["layer", "neuron"])
        shape = (ordered["layer"].nunique(), -1)
        ranks = {part: rankdata(ordered[part]).reshape(shape) for part in PARTS}
        return cls(ranks, ordered["activation"].to_numpy().reshape(shape))

    def auroc(self, part: str, members: NeuronSet) -> float:
        """The probability that a member changed more than a neuron that is none (ties count half)."""
        ranks = self.ranks[part][members.layers, members.neurons]
        size, others = len(members), self.activation.size - len(members)
        return float((ranks.sum() - size * (size + 1) / 2) / (size * others))

    def top(self, part: str, size: int) -> np.ndarray:
        """(layers, neurons) whether a neuron is among the ``size`` most changed; of equals the first."""
        order = np.argsort(-self.ranks[part], axis=None, kind="stable")
        chosen = np.zeros(self.activation.size, dtype=bool)
        chosen[order[:size]] = True
        return chosen.reshape(self.activation.shape)


def _sets(
    key: str, dkn: NeuronSet, kn: NeuronSet, changes: Changes, settings: OverlapSettings
) -> Iterator[tuple[str, int, NeuronSet]]:
    """The sets of one fact, or of all in one, with their random draws."""
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
    """Per fact and set, AUROC and share among the most changed; columns as in ``tables.OVERLAP``.

    Args:
        facts: the new facts, columns fact_id, subject, relation.
        dkn, kn: their neurons.
        changes: of the run that taught them.
        settings: number of draws, seed.
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
    """Overlap of the union of all facts' sets with the top of the ranking, for |D| and other sizes of the top;
    columns as in ``tables.OVERLAP_CURVES``.
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
    """Every neuron in a set of these facts and in how many; columns as in ``tables.OVERLAP_MEMBERS``."""
    parts = [
        pd.DataFrame({"layer": members.layers, "neuron": members.neurons, "neuron_set": name})
        for name, sets in ((DKN, dkn), (KN, kn))
        for members in (union([sets[fact_id]]) for fact_id in fact_ids)
    ]
    listed = pd.concat(parts)
    counts = pd.crosstab([listed["layer"], listed["neuron"]], listed["neuron_set"])
    return counts.reindex(columns=[DKN, KN], fill_value=0).rename_axis(columns=None).reset_index()
