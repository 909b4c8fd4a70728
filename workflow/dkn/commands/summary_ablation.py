"""Summarise the ablation experiment: what is left of a fact without its knowledge neurons, and curves by order."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import ABLATION
from dkn.summaries.ablation import summarise
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records of the experiment."""
    settings = StatisticsSettings(**vars(statistics))
    summary = summarise(read_table(records, ABLATION), settings)
    content = {"experiment": experiment, "model": model_name, **summary}
    write_summary(output, content, "summary-ablation", settings, [records])
    print(f"{model_name}, {experiment}: {summary['counts']['facts']} facts with knowledge neurons")
