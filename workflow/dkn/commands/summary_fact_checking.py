"""Summary of a fact-checking experiment: metrics on the test split, contrasts with the other detectors."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn.commands._flags import ConfidenceFlag, ExperimentFlag, ModelNameFlag, OutputFlag, ResamplesFlag, SeedFlag
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.fact_checking_summary import summarise
from dkn.io import read_table, write_json
from dkn.provenance import provenance
from dkn.tables import FACT_CHECKING


def main(
    records: Annotated[list[Path], Option(help="Records of every fact-checking experiment of the model.")],
    detector: Annotated[str, Option(help="dkn, kn or plm: whose summary this is.")],
    model_name: ModelNameFlag,
    experiment: ExperimentFlag,
    seed: SeedFlag,
    output: OutputFlag,
    resamples: ResamplesFlag = 2000,
    confidence: ConfidenceFlag = 0.95,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(resamples, confidence, seed)
    joined = pd.concat([read_table(path, FACT_CHECKING) for path in records], ignore_index=True)
    content: dict[str, Any] = {
        "experiment": experiment,
        "model": model_name,
        **summarise(joined, detector, settings),
        "provenance": provenance("summary-fact-checking", vars(settings), records),
    }
    write_json(output, content)
    print(f"{model_name}, {experiment}: {content['counts']['test']} test facts")
