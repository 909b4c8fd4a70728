"""Summarise a fact-checking experiment: metrics on the test split, and contrasts with the other detectors."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import FACT_CHECKING
from dkn.study.protocol import applied
from dkn.summaries.fact_checking import USED, ThresholdSettings, summarise
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[list[Path], Option(help="Records of one fact-checking experiment of the model; repeatable.")],
    detector: Annotated[str, Option(help="The experiment to summarise, by its detector: dkn, kn or plm.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
    released: flags.Released = None,
) -> None:
    """Summarise one model's records of one experiment."""
    settings = StatisticsSettings(**vars(statistics))
    thresholds = applied("threshold", ThresholdSettings(), released).of_detectors()
    joined = pd.concat([read_table(path, FACT_CHECKING, USED) for path in records], ignore_index=True)
    content = {"experiment": experiment, "model": model_name, **summarise(joined, detector, settings, thresholds)}
    write_summary(output, content, "summary-fact-checking", settings, records)
    print(f"{model_name}, {experiment}: {content['counts']['test']} test facts")
