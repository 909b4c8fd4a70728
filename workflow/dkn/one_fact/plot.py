"""The figure of one fact: figure ``kn_graph`` of a study, with one model."""

from __future__ import annotations

from matplotlib.figure import Figure

from dkn.figures.example import Example
from dkn.figures.kn_graph import draw
from dkn.one_fact.analysis import OneFact


def plot(fact: OneFact) -> Figure:
    """Draw a fact's knowledge neurons across the layers, its base degenerate components in colour.

    Args:
        fact: what ``attribute`` returned.
    """
    row, quantile = fact.fact, fact.clustering.quantile
    words = f"“{row['prompt']} … {row['answer']}”"
    return draw([Example(fact.model.name, words, fact.neurons, fact.distances, fact.components, quantile)])
