"""Summarise experiment ``sharing``: counts, estimates, and contrasts of components with random sets."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import SHARING, SHARING_MEMBERS
from dkn.summaries.sharing import summarise
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    members: Annotated[Path, Option(help="In how many facts the components' neurons are knowledge neurons.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(**vars(statistics))
    summary = summarise(read_table(members, SHARING_MEMBERS), read_table(records, SHARING), settings)
    content = {"experiment": experiment, "model": model_name, **summary}
    write_summary(output, content, "summary-sharing", settings, [records, members])
    print(f"{model_name}, {experiment}: {summary['counts']['bdcs']} components")
