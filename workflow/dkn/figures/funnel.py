"""Figure ``funnel``: how many facts are left at every step, per model and grouping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import WIDTH, use_style
from dkn.summaries.wording import bullets

STEPS = {
    "facts": "facts",
    "known": "known",
    "with_knowledge_neurons": "knowledge\nneurons",
    "with_adjacent_layers": "adjacent\nlayers",
    "with_finite_distances": "finite\ndistances",
    "with_candidates": "a com-\nponent",
    "with_two_candidates": "two com-\nponents",
    "with_bdcs": "a BDC",
    "degenerate": "degenerate\n(two BDCs)",
}
CELL = 0.26  # inches of a row


def counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Facts per (model, grouping), rows in their first order, and step, columns in the order of ``STEPS``.

    Args:
        frame: columns model, grouping, step, facts.
    Raises:
        ValueError: a step is missing or unknown.
    """
    if set(frame["step"]) != set(STEPS):
        raise ValueError(f"the funnel's steps are {sorted(set(frame['step']))}, not {sorted(STEPS)}")
    order = frame[["model", "grouping"]].drop_duplicates()
    wide = frame.pivot(index=["model", "grouping"], columns="step", values="facts")
    return wide.loc[pd.MultiIndex.from_frame(order), list(STEPS)]


def _panel(axes: Axes, model: str, table: pd.DataFrame) -> None:
    """Counts in cells, shaded by their share of the known facts."""
    share = np.clip(table.to_numpy() / table["known"].to_numpy()[:, None], 0, 1)
    share[:, list(STEPS).index("facts")] = 0  # what the study asks about, not what is left of the known
    axes.imshow(share, aspect="auto", cmap="Blues", vmin=0, vmax=1.25)
    for row, column in np.ndindex(share.shape):
        dark = share[row, column] > 0.6
        text = f"{int(table.iloc[row, column]):,}"
        axes.text(column, row, text, ha="center", va="center", size=7.5, color="white" if dark else "0.1")
    axes.set_yticks(range(len(table)), list(table.index))
    axes.set_xticks(range(len(STEPS)), list(STEPS.values()))
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{model}: facts left at every step")


def draw(frame: pd.DataFrame) -> Figure:
    """A panel per model, a row per grouping."""
    use_style()
    wide = counts(frame)
    models = list(dict.fromkeys(wide.index.get_level_values("model")))
    heights = [len(wide.loc[model]) for model in models]
    size = (2.1 * WIDTH, CELL * sum(heights) + 0.75 * len(models) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, model in zip(axes, models, strict=True):
        _panel(place, model, wide.loc[model])
    figure.supxlabel("shade: share of the known facts", fontsize=7.5)
    return figure


def caption(frame: pd.DataFrame) -> str:
    """Of how many known facts NTC leaves how many degenerate ones, per model; counts, so without intervals."""
    wide = counts(frame)
    return bullets(
        f"{model}, NTC: {row['known']:,} of {row['facts']:,} facts are known, {row['with_finite_distances']:,} have "
        f"finite distances, {row['with_bdcs']:,} a BDC, {row['degenerate']:,} two or more"
        for (model, grouping), row in wide.iterrows()
        if grouping == "ntc"
    )


def main(
    funnel: Annotated[Path, Option(help="funnel.csv: model, grouping, step, facts.")],
    output: flags.Pdf,
) -> None:
    """Draw from the stored table."""
    frame = pd.read_csv(funnel)
    save(draw(frame), frame, output, caption(frame))
