"""Which neurons of an attribution are a fact's knowledge neurons (docs/method.md)."""

from __future__ import annotations

import pandas as pd

from dkn.errors import UserError


def knowledge_neurons(scores: pd.DataFrame, fraction: float, cap: int | None) -> tuple[pd.DataFrame, list[str]]:
    """The neurons of each fact whose score exceeds a fraction of the fact's largest score over all layers.

    Args:
        scores: columns fact_id, layer, neuron, score (positive scores above the attribution's floor).
        fraction: the threshold.
        cap: the most neurons of a fact, the largest scores first; None for no limit.
    Returns:
        Columns fact_id, place, layer, neuron, score, sorted by layer and neuron within a fact, and the ids of the
        facts whose neurons the cap cut.
    Raises:
        UserError: a fact's neuron has two scores, as when one shard is given twice.
    """
    twice = scores[scores.duplicated(["fact_id", "layer", "neuron"])]
    if not twice.empty:
        fact_id, layer, neuron = twice.iloc[0][["fact_id", "layer", "neuron"]]
        raise UserError(f"fact {fact_id}: neuron {neuron} of layer {layer} has two scores; is a shard given twice?")
    largest = scores.groupby("fact_id")["score"].transform("max")
    chosen = scores[scores["score"] > fraction * largest]
    rank = chosen.groupby("fact_id")["score"].rank(method="first", ascending=False)
    capped = [] if cap is None else sorted(chosen.loc[rank > cap, "fact_id"].unique())
    if cap is not None:
        chosen = chosen[rank <= cap]
    chosen = chosen.sort_values(["fact_id", "layer", "neuron"], ignore_index=True)
    chosen = chosen.assign(place=chosen.groupby("fact_id").cumcount())
    return chosen[["fact_id", "place", "layer", "neuron", "score"]], capped
