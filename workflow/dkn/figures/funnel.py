"""Figure ``funnel``: how many facts are left at every step of the method, per model and grouping."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from typer import Option

from dkn import flags
from dkn.figures.saving import save
from dkn.figures.style import WIDTH, ink_on, use_style
from dkn.storage.checked_texts import read_checked
from dkn.summaries.wording import bullets

STEPS = {
    "facts": "facts",
    "answered": "answered",
    "answered_unseen": "unseen\nwording",
    "known": "known",
    "with_converged_attribution": "converged\nattribution",
    "with_knowledge_neurons": "knowledge\nneurons",
    "with_adjacent_layers": "adjacent\nlayers",
    "with_finite_distances": "finite\ndistances",
    "with_candidates": "a com-\nponent",
    "with_two_candidates": "two com-\nponents",
    "with_bdcs": "a BDC",
    "degenerate": "degenerate\n(two BDCs)",
}
DARKEST = 1.25  # the share at which the shades would end
CELL = 0.26  # the height of a row, in inches


def counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of facts as a matrix.

    Args:
        frame: the columns model, grouping, step and facts.
    Returns:
        A row per model and grouping, in the order of their first rows, and a column per step, in that of ``STEPS``.
    Raises:
        ValueError: a step is missing or unknown.
    """
    if set(frame["step"]) != set(STEPS):
        raise ValueError(f"the funnel's steps are {sorted(set(frame['step']))}, not {sorted(STEPS)}")
    order = frame[["model", "grouping"]].drop_duplicates()
    wide = frame.pivot(index=["model", "grouping"], columns="step", values="facts")
    return wide.loc[pd.MultiIndex.from_frame(order), list(STEPS)]


def _panel(axes: Axes, model: str, table: pd.DataFrame) -> None:
    """Draw a model's counts in cells, which are shaded by their share of the known facts."""
    share = np.clip(table.to_numpy() / np.maximum(table["known"].to_numpy(), 1)[:, None], 0, 1)
    share[:, list(STEPS).index("facts")] = 0  # all facts of the study are no share of the known ones
    axes.imshow(share, aspect="auto", cmap="Blues", vmin=0, vmax=DARKEST)
    for row, column in np.ndindex(share.shape):
        ink = ink_on(to_rgb(colormaps["Blues"](float(share[row, column] / DARKEST))))
        text = f"{int(table.iloc[row, column]):,}"
        axes.text(column, row, text, ha="center", va="center", size=7.5, color=ink)
    axes.set_yticks(range(len(table)), list(table.index))
    axes.set_xticks(range(len(STEPS)), list(STEPS.values()))
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{model}: facts left at every step")


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a panel per model, with a row per grouping.

    Args:
        frame: the columns model, grouping, step and facts.
    """
    use_style()
    wide = counts(frame)
    models = list(dict.fromkeys(wide.index.get_level_values("model")))
    heights = [len(wide.loc[model]) for model in models]
    size = (2.1 * WIDTH, CELL * sum(heights) + 0.75 * len(models) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    all_axes = figure.subplots(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, model in zip(all_axes, models, strict=True):
        _panel(axes, model, wide.loc[model])
    figure.supxlabel("shade: share of the known facts", fontsize=7.5)
    return figure


def caption(frame: pd.DataFrame) -> str:
    """Return the caption's numbers: how many facts are known and how many NTC leaves, per model, without intervals.

    Args:
        frame: the columns model, grouping, step and facts.
    """
    wide = counts(frame)
    return bullets(
        f"{model}, NTC: of {row['facts']:,} facts {row['answered']:,} are answered, {row['answered_unseen']:,} in the "
        f"unseen wording too, and {row['known']:,} are known; "
        f"{row['with_converged_attribution']:,} have converged attributions, {row['with_finite_distances']:,} finite "
        f"distances, {row['with_bdcs']:,} have a BDC, and {row['degenerate']:,} have two or more"
        for (model, grouping), row in wide.iterrows()
        if grouping == "ntc"
    )


def main(
    funnel: Annotated[Path, Option(help="funnel.csv: model, grouping, step, facts.")],
    output: flags.Pdf,
) -> None:
    """Draw the figure from the stored table of the funnel."""
    frame = pd.read_csv(io.StringIO(read_checked(funnel)))
    save(draw(frame), frame, output, caption(frame))
