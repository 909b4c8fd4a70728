"""Table sensitivity: coverage and the degeneracy gap beyond the control at every grid point of every model."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import ConfidenceFlag, OutputFlag, SeedFlag
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.sensitivity_summary import grid_table
from dkn.io import atomic_file, read_table
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
    with atomic_file(output) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    print(f"{len(table)} grid points of {table['model'].nunique()} models")
