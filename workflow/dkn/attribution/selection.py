"""The knowledge neurons of facts: the neurons whose attribution scores are large."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from dkn.errors import UserError


def _refuse_two_scores(scores: pd.DataFrame) -> None:
    duplicates = scores[scores.duplicated(["fact_id", "layer", "neuron"])]
    if not duplicates.empty:
        fact_id, layer, neuron = duplicates.iloc[0][["fact_id", "layer", "neuron"]]
        raise UserError(f"fact {fact_id}: neuron {neuron} of layer {layer} has two scores; is a shard given twice?")


def knowledge_neurons(scores: pd.DataFrame, fraction: float, cap: int | None) -> tuple[pd.DataFrame, list[str]]:
    """Select the neurons of each fact whose score exceeds a fraction of the fact's largest score over all layers.

    Args:
        scores: one row per fact and neuron; columns fact_id, layer, neuron and score, a positive score above the
            attribution's floor.
        fraction: the threshold, from 0 to 1.
        cap: the most neurons of a fact, those with the largest scores; None for no limit.
    Returns:
        One row per fact and knowledge neuron, columns fact_id, place, layer, neuron and score, sorted by fact, layer
        and neuron; ``place`` counts a fact's neurons from 0. And the sorted ids of the facts that lost neurons to the
        cap.
    Raises:
        UserError: a fact's neuron has two scores, as when one shard is given twice.
    """
    _refuse_two_scores(scores)
    largest = scores.groupby("fact_id")["score"].transform("max")
    chosen = scores[scores["score"] > fraction * largest]
    rank = chosen.groupby("fact_id")["score"].rank(method="first", ascending=False)
    capped = [] if cap is None else sorted(chosen.loc[rank > cap, "fact_id"].unique())
    if cap is not None:
        chosen = chosen[rank <= cap]
    chosen = chosen.sort_values(["fact_id", "layer", "neuron"], ignore_index=True)
    chosen = chosen.assign(place=chosen.groupby("fact_id").cumcount())
    return chosen[["fact_id", "place", "layer", "neuron", "score"]], capped


def knowledge_neurons_of_parts(
    parts: Iterable[pd.DataFrame], fraction: float, cap: int | None
) -> tuple[pd.DataFrame, list[str]]:
    """Select as ``knowledge_neurons`` does from scores in parts, of which one is in memory at a time.

    Args:
        parts: the scores, in parts that hold all rows of their facts; there is at least one.
        fraction, cap: as ``knowledge_neurons`` takes them.
    Raises:
        UserError: as ``knowledge_neurons`` raises it, within and across parts.
    """
    found = [knowledge_neurons(part, fraction, cap) for part in parts]
    chosen = pd.concat([neurons for neurons, _ in found], ignore_index=True)
    _refuse_two_scores(chosen)
    capped = sorted(fact_id for _, capped_of_part in found for fact_id in capped_of_part)
    return chosen.sort_values(["fact_id", "place"], ignore_index=True), capped
