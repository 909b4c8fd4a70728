"""Table ``sensitivity``: coverage and the degeneracy gap beyond the control, at every grid point of every model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import SENSITIVITY
from dkn.summaries.sensitivity import POINT, grid_table
from dkn.summaries.wording import bracketed
from dkn.tables.saving import save


def main(
    records: Annotated[list[Path], Option(help="Records of some grid points; repeatable.")],
    fraction: Annotated[float, Option(help="The study's own KN fraction.")],
    quantile: Annotated[float, Option(help="The study's own filtration limit.")],
    test: Annotated[str, Option(help="The study's own functional test.")],
    tau2: Annotated[float, Option(help="The study's own tau2.")],
    output: flags.Csv,
    statistics: flags.Statistics,
    tau1: Annotated[float, Option(help="The study's own tau1, unless that is a quantile of lifetimes.")] = float("nan"),
) -> None:
    """Write the CSV with a row per model and grid point, and the same table in Markdown and LaTeX beside it."""
    joined = pd.concat([read_table(path, SENSITIVITY) for path in records], ignore_index=True)
    own: dict[str, float | str] = {"fraction": fraction, "quantile": quantile, "tau1": tau1, "test": test, "tau2": tau2}
    table = grid_table(joined, own, StatisticsSettings(**vars(statistics)))
    caption = (
        f"Coverage, and the gap of a fact's components beyond random groups of the same sizes, at every grid point; "
        f"{100 * statistics.confidence:g} % bootstrap intervals over subjects, not adjusted for the number of points."
    )
    save(table, wide_table(table), caption, output)
    print(f"{len(table)} grid points of {table['model'].nunique()} models")


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers: a row per model and grid point, and a column of text per measure.

    Args:
        table: as ``grid_table`` returns it.
    """
    values = {
        "coverage": ("coverage (%)", "coverage"),
        "drop_gap": ("gap beyond the control (points)", "drop"),
        "nats_gap": ("gap in nats", "nats"),
    }
    texts = {
        title: [
            bracketed(value, low, high, metric) if value == value else None
            for value, low, high in table[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        ]
        for name, (title, metric) in values.items()
    }
    points = table[POINT].astype(object).where(table[POINT].notna(), "no test").astype(str)
    return pd.DataFrame(
        {
            "degenerate of facts": [f"{row.degenerate} of {row.facts}" for row in table.itertuples(index=False)],
            **texts,
            "own settings": ["yes" if is_own else "" for is_own in table["own_settings"]],
        },
        index=pd.MultiIndex.from_frame(points),
    )
