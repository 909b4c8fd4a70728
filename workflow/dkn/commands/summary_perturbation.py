"""Summarise a suppression or enhancement experiment: counts, estimates, and contrasts of the DKN with other sets."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import PERTURBATION
from dkn.study.protocol import applied
from dkn.summaries.perturbation import PerturbedAverages, summarise
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    setting: Annotated[str, Option(help="The intervention: suppression or enhancement.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
    site: Annotated[str, Option(help="What the intervention multiplied: values or weights.")],
    released: flags.Released = None,
    gated: flags.Gated = False,
) -> None:
    """Summarise one model's records of one experiment."""
    settings = StatisticsSettings(**vars(statistics))
    averages = applied("perturbed averages", PerturbedAverages(), released, gated)
    summary = summarise(read_table(records, PERTURBATION), setting, settings, averages, site)
    content = {"experiment": experiment, "model": model_name, **summary}
    write_summary(output, content, "summary-perturbation", settings, [records])
    print(f"{model_name}, {experiment}: {summary['counts']['with_dkn']} facts with degenerate knowledge neurons")
