"""How many facts are left at each step, so that nobody takes few facts for a strong effect (docs/method.md)."""

from __future__ import annotations

import pandas as pd

STEPS = (
    "facts",
    "known",
    "with_knowledge_neurons",
    "with_adjacent_layers",
    "with_finite_distances",
    "with_candidates",
    "with_two_candidates",
    "with_bdcs",
    "degenerate",
)


def with_adjacent_layers(neurons: pd.DataFrame) -> int:
    """How many facts have knowledge neurons in two layers that follow each other."""
    layers = neurons[["fact_id", "layer"]].drop_duplicates().sort_values(["fact_id", "layer"])
    step = layers.groupby("fact_id")["layer"].diff()
    return layers.loc[step == 1, "fact_id"].nunique()


def funnel(
    known: pd.DataFrame, neurons: pd.DataFrame, distances: pd.DataFrame, components: pd.DataFrame
) -> dict[str, int]:
    """Facts left at every step, in the order of ``STEPS``, from one model's tables and one grouping's components.

    Of a control's random partitions the first counts, so that a fact has one chance as it has with a method.
    """
    first = components[components["repeat"] == 0]
    candidates = first.groupby("fact_id").size()
    kept = first[first["kept"].astype(bool)].groupby("fact_id").size()
    counts = (
        len(known),
        int(known["known"].sum()),
        neurons["fact_id"].nunique(),
        with_adjacent_layers(neurons),
        distances["fact_id"].nunique(),
        len(candidates),
        int((candidates >= 2).sum()),
        len(kept),
        int((kept >= 2).sum()),
    )
    return dict(zip(STEPS, counts, strict=True))
