"""Figure ``kn_graph``: the graph of one fact's knowledge neurons across the layers, per model.

A line joins two neurons of adjacent layers whose distance the filtration reaches. Colours and markers tell the base
degenerate components apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from dkn import flags
from dkn.figures.example import Example, FactFlag, caption, read_examples, why_empty
from dkn.figures.saving import save
from dkn.figures.style import fitted, numbered, panels, say_nothing_to_draw

SMALLEST, LARGEST = 8, 90  # the areas of neurons with score zero and with the fact's largest score, in square points
FAILED = {"facecolors": "0.85", "edgecolors": "0.35", "hatch": "//////", "linewidths": 0.7}
ALONE = {"facecolors": "white", "edgecolors": "0.6", "linewidths": 0.7}


def _ordered(example: Example) -> pd.DataFrame:
    """Return the components by number, which is their row: base degenerate ones first, then in the order of births."""
    return example.components.sort_values(["kept", "birth"], ascending=[False, True], ignore_index=True)


def neurons(example: Example) -> pd.DataFrame:
    """Return the knowledge neurons of a fact with their places in the drawing.

    Args:
        example: the fact in one model.
    Returns:
        One row per neuron, with columns place, layer, neuron, score (relative to the fact's largest), component (its
        number, or -1), kind (a key of ``KINDS``), model and height. The neurons of a layer are centred on height zero;
        those of a component stand together.
    """
    frame = example.neurons[["place", "layer", "neuron", "score"]].assign(component=-1, kind="other")
    for number, row in enumerate(_ordered(example).itertuples(index=False)):
        frame.loc[frame["place"].isin(row.places), ["component", "kind"]] = [number, "bdc" if row.kept else "candidate"]
    frame = frame.sort_values(["layer", "component", "place"], ignore_index=True)
    layers = frame.groupby("layer")["place"]
    height = layers.cumcount() - (layers.transform("size") - 1) / 2
    return frame.assign(model=example.model, score=frame["score"] / frame["score"].max(), height=height)


def edges(example: Example) -> pd.DataFrame:
    """Return the pairs of neurons in adjacent layers whose distance the filtration reaches.

    Args:
        example: the fact in one model.
    Returns:
        One row per pair, with columns first, second, distance, component and model. The component is that of both
        neurons if the pair is joined at the component's birth, and -1 otherwise.
    """
    nodes = neurons(example).set_index("place")
    pairs = example.distances[example.distances["distance"] <= example.tree.limit]
    first, second = (nodes.loc[pairs[end]].reset_index() for end in ("first", "second"))
    adjacent = (first["layer"] - second["layer"]).abs() == 1
    births = pd.Series(dict(_ordered(example)["birth"].items()), dtype=float)
    inside = first["component"] == second["component"]
    born = pairs["distance"].to_numpy() <= first["component"].map(births).to_numpy() * (1 + 1e-6)
    component = first["component"].where(inside & born, -1)
    reached = pairs[["first", "second", "distance"]].reset_index(drop=True).assign(component=component)
    return reached[adjacent].assign(model=example.model)


def table(examples: list[Example]) -> pd.DataFrame:
    """Return what the figure shows: the neurons of all models, then their pairs.

    Args:
        examples: the fact in each model.
    """
    nodes = [neurons(example).assign(what="neuron").drop(columns="height") for example in examples]
    pairs = [edges(example).assign(what="pair") for example in examples]
    frame = pd.concat([*nodes, *pairs], ignore_index=True)
    columns = ["model", "what", "component", "kind", "place", "layer", "neuron", "score", "first", "second", "distance"]
    whole = ["place", "layer", "neuron", "first", "second"]
    return frame[columns].astype(dict.fromkeys(whole, "Int64"))


def _lines(nodes: pd.DataFrame, pairs: pd.DataFrame, **style: Any) -> LineCollection:
    ends = [nodes.loc[pairs[end], ["layer", "height"]].to_numpy() for end in ("first", "second")]
    return LineCollection(list(np.stack(ends, axis=1)), **style)


def _panel(axes: Axes, example: Example) -> None:
    nodes, pairs = neurons(example).set_index("place"), edges(example)
    axes.add_collection(_lines(nodes, pairs[pairs["component"] < 0], colors="0.82", linewidths=0.5, zorder=1))
    for component, frame in nodes.groupby("component"):
        kind = frame["kind"].iloc[0]
        style: dict[str, Any] = {"other": ALONE, "candidate": FAILED}.get(kind, {})
        marker, colour = "o", "0.35"
        if kind == "bdc":
            colour, marker = numbered(int(component))
            style = {"facecolors": colour, "edgecolors": "white", "linewidths": 0.4}
        lines = _lines(
            nodes, pairs[(pairs["component"] == component) & (component >= 0)], colors=colour, linewidths=1.6
        )
        axes.add_collection(lines)
        area = SMALLEST + (LARGEST - SMALLEST) * frame["score"]
        axes.scatter(frame["layer"], frame["height"], s=area, marker=marker, zorder=3, **style)
    kept = int(example.components["kept"].sum())
    failed = len(example.components) - kept
    axes.set_title(
        f"{example.model}: {len(nodes)} knowledge neurons\n{kept} base degenerate components, {failed} failed the test"
    )
    axes.set_xlabel("layer")
    axes.set_xlim(nodes["layer"].min() - 0.6, nodes["layer"].max() + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.06)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _legend(figure: Figure, columns: int) -> None:
    dot: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 6}
    handles: list[Any] = [
        Line2D(
            [],
            [],
            **dot,
            markerfacecolor=numbered(0).colour,
            markeredgecolor="white",
            label="base degenerate component (each in its own colour)",
        ),
        Patch(facecolor="0.85", edgecolor="0.35", hatch="//////", label="component, failed the functional test"),
        Line2D(
            [], [], **dot, markerfacecolor="white", markeredgecolor="0.6", label="in no chosen component (area: score)"
        ),
        Line2D([], [], color="0.7", linewidth=0.8, label="adjacent layers, within the filtration's limit"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def draw(examples: list[Example]) -> Figure:
    """Draw a panel per model; areas grow with the score, and each base degenerate component has a colour and a marker.

    Args:
        examples: the fact in each model.
    """
    figure, grid = panels(1, len(examples), height=3.9)
    for axes, example in zip(grid[0], examples, strict=True):
        if example.neurons.empty:
            say_nothing_to_draw(axes, why_empty(example))
            axes.set_title(example.model)
        else:
            _panel(axes, example)
    _legend(figure, min(2, len(examples)))
    figure.suptitle(fitted(examples[0].fact, len(examples)))
    return figure


def main(
    facts: flags.Facts,
    model: flags.Folders,
    quantile: flags.Quantile,
    output: flags.Pdf,
    example: FactFlag = None,
) -> None:
    """Draw the figure from the stored tables of all models."""
    _, examples = read_examples(facts, model, quantile, example)
    save(draw(examples), table(examples), output, caption(examples))
