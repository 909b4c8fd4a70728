"""Table sensitivity: coverage and the degeneracy gap beyond the control at every grid point of every model."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import ConfidenceFlag, OutputFlag, SeedFlag
from dkn.commands._tables import save
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.sensitivity_summary import grid_table, wide_table
from dkn.io import read_table
from dkn.tables import SENSITIVITY


def main(
    records: Annotated[list[Path], Option(help="Records of some grid points; repeatable.")],
    fraction: Annotated[float, Option(help="The study's own KN fraction.")],
    quantile: Annotated[float, Option(help="The study's own filtration limit.")],
    tau2: Annotated[float, Option(help="The study's own tau2.")],
    resamples: Annotated[int, Option(help="Bootstrap resamples.")],
    confidence: ConfidenceFlag,
    seed: SeedFlag,
    output: OutputFlag,
    tau1: Annotated[float, Option(help="The study's own tau1, unless that is a quantile of lifetimes.")] = float("nan"),
) -> None:
    """Summarise all records in one table."""
    found = pd.concat([read_table(path, SENSITIVITY) for path in records], ignore_index=True)
    own = {"fraction": fraction, "quantile": quantile, "tau1": tau1, "tau2": tau2}
    table = grid_table(found, own, StatisticsSettings(resamples, confidence, seed))
    caption = (
        f"Coverage, and the gap of a fact's components beyond random groups of the same sizes, at every grid point; "
        f"{100 * confidence:g} % bootstrap intervals over subjects, not adjusted for the number of points."
    )
    save(table, wide_table(table), caption, output)
    print(f"{len(table)} grid points of {table['model'].nunique()} models")
