"""The funnel: how many facts are left at each step of the method (docs/method.md).

It is reported so that nobody takes an effect in few facts for a strong effect. A BDC is a base degenerate component; a
fact with two or more of them is degenerate.
"""

from __future__ import annotations

import pandas as pd

from dkn.storage.completeness import converged_facts

STEPS = (
    "facts",
    "answered",
    "answered_unseen",
    "known",
    "with_converged_attribution",
    "with_knowledge_neurons",
    "with_adjacent_layers",
    "with_finite_distances",
    "with_candidates",
    "with_two_candidates",
    "with_bdcs",
    "degenerate",
)


def with_adjacent_layers(neurons: pd.DataFrame) -> int:
    """Return how many facts have knowledge neurons in two layers that follow each other.

    Args:
        neurons: the columns of ``schemas.KNOWLEDGE_NEURONS``.
    """
    layers = neurons[["fact_id", "layer"]].drop_duplicates().sort_values(["fact_id", "layer"])
    step = layers.groupby("fact_id")["layer"].diff()
    return layers.loc[step == 1, "fact_id"].nunique()


def funnel(
    known: pd.DataFrame,
    completeness: pd.DataFrame,
    neurons: pd.DataFrame,
    distances: pd.DataFrame,
    components: pd.DataFrame,
) -> dict[str, int]:
    """Return the number of facts that satisfy each step, in the order of ``STEPS``, for one model and grouping.

    Of a control's draws only the first counts, so that a fact has one chance, as it has with a method.

    Args:
        known: the columns of ``schemas.KNOWN``.
        completeness: the columns fact_id and converged of ``schemas.COMPLETENESS``; here and in what follows, rows that
            are equal in the columns need not stand there twice.
        neurons: the columns fact_id and layer of ``schemas.KNOWLEDGE_NEURONS``.
        distances: the column fact_id of ``schemas.DISTANCES``.
        components: the columns fact_id, repeat and kept of ``schemas.COMPONENTS``, all rows of the grouping.
    """
    first = components[components["repeat"] == 0]
    candidates = first.groupby("fact_id").size()
    kept = first[first["kept"].astype(bool)].groupby("fact_id").size()
    counts = (
        len(known),
        int(known["answered"].sum()),
        int(known["answered_unseen"].sum()),
        int(known["known"].sum()),
        converged_facts(completeness),
        neurons["fact_id"].nunique(),
        with_adjacent_layers(neurons),
        distances["fact_id"].nunique(),
        len(candidates),
        int((candidates >= 2).sum()),
        len(kept),
        int((kept >= 2).sum()),
    )
    return dict(zip(STEPS, counts, strict=True))
