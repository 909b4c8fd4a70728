"""Summary of a fine-tuning experiment: estimates, curves over epochs, contrasts with the other neuron sets."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FINE_TUNING
from dkn.summaries.fine_tuning import question_counts, set_reports, summarise, whether_run
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    others: Annotated[list[Path], Option(help="Records of another fine-tuning experiment; may be repeated.")],
    training: Annotated[Path, Option(help="training.json of the experiment.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(**vars(statistics))
    trained = read_json(training)
    own = read_table(records, FINE_TUNING)
    rest = pd.concat([read_table(path, FINE_TUNING) for path in others], ignore_index=True)
    content = {
        "experiment": experiment,
        "model": model_name,
        **whether_run(trained),
        "facts": question_counts(own),
        "sets": set_reports(trained),
        **summarise(own, rest, settings),
    }
    write_summary(output, content, "summary-fine-tuning", settings, [records, *others])
    print(f"{model_name}, {experiment}: {trained.get('not_run') or sum(content['facts'].values())}")
