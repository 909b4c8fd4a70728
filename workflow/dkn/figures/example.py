"""One fact of the study as the figures show it: which one, and its stored records in one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from dkn.captions import bullets
from dkn.dendrogram import Dendrogram, dendrogram, matrix_of_pairs
from dkn.figures.style import COLOURS

# What a component is, in the order in which legends list it: words and colour.
KINDS = {
    "bdc": ("base degenerate component", COLOURS[1]),
    "candidate": ("component, failed the functional test", COLOURS[0]),
    "other": ("component, not chosen", "0.7"),
}


@dataclass(frozen=True)
class Example:
    """One fact in one model.

    Attributes:
        model: its name.
        fact: the prompt with the model's answer.
        neurons: the fact's knowledge neurons, ordered by place, with layer and score.
        distances: its finite pairs: first, second, distance.
        components: its tested components: places, birth, kept.
        quantile: where the filtration stops.
    """

    model: str
    fact: str
    neurons: pd.DataFrame
    distances: pd.DataFrame
    components: pd.DataFrame
    quantile: float

    @cached_property
    def tree(self) -> Dendrogram:
        """The dendrogram that the components were chosen from."""
        pairs = (self.distances[name].to_numpy() for name in ("first", "second", "distance"))
        return dendrogram(matrix_of_pairs(len(self.neurons), *pairs), self.quantile)


def choose_example(components: dict[str, pd.DataFrame]) -> str:
    """The fact with the most base degenerate components in the model where it has fewest; ties by total, then id.

    Args:
        components: per model the table of tested components.
    Raises:
        ValueError: no fact has a component in every model.
    """
    kept = {model: frame.groupby("fact_id")["kept"].sum() for model, frame in components.items()}
    counts = pd.DataFrame(kept).dropna()
    if counts.empty:
        raise ValueError("no fact has a component in every model")
    order = pd.DataFrame({"least": counts.min(axis=1), "total": counts.sum(axis=1)})
    return str(order.sort_index().sort_values(["least", "total"], ascending=False, kind="stable").index[0])


def caption(examples: Sequence[Example]) -> str:
    """The one fact that is drawn, and what each model has of it; one fact has no interval."""
    lines = [f"n = 1 fact: {examples[0].fact}" if len({e.fact for e in examples}) == 1 else "n = 1 fact"]
    for example in examples:
        kept = example.components["kept"].astype(bool)
        told = "" if lines[0].endswith(example.fact) else f"{example.fact}: "
        lines.append(
            f"{example.model}: {told}{len(example.neurons)} knowledge neurons in {example.neurons['layer'].nunique()} "
            f"layers, {len(example.distances)} finite distances, {len(kept)} components, {int(kept.sum())} of them BDCs"
        )
    return bullets(lines)
