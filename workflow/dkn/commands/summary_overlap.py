"""Summary of the overlap experiment: estimates, contrasts, and the unions' overlap against chance."""

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
    curves: Annotated[Path, Option(help="Table of the unions' overlap.")],
    training: Annotated[Path, Option(help="training.json of the run that trained all parameters.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(**vars(statistics))
    trained = read_json(training)
    found = summarise(read_table(records, OVERLAP), read_table(curves, OVERLAP_CURVES), settings)
    content = {"experiment": experiment, "model": model_name, **whether_run(trained), **found}
    write_summary(output, content, "summary-overlap", settings, [records, curves])
    print(f"{model_name}, {experiment}: {trained.get('not_run') or trained['new_facts']}")
