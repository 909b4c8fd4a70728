"""Summarise the overlap experiment: estimates, contrasts, and the overlap of the unions against chance."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import OVERLAP, OVERLAP_CURVES
from dkn.summaries.fine_tuning import whether_run
from dkn.summaries.overlap import summarise
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    curves: Annotated[Path, Option(help="Table with the overlap of the unions of all facts' sets.")],
    training: Annotated[Path, Option(help="training.json of the run that trained all parameters.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records of the experiment."""
    settings = StatisticsSettings(**vars(statistics))
    trained = read_json(training)
    summary = summarise(read_table(records, OVERLAP), read_table(curves, OVERLAP_CURVES), settings)
    content = {"experiment": experiment, "model": model_name, **whether_run(trained), **summary}
    write_summary(output, content, "summary-overlap", settings, [records, curves])
    outcome = trained.get("not_run") or f"{trained['new_facts']} new facts"
    print(f"{model_name}, {experiment}: {outcome}")
