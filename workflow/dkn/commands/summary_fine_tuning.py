"""Summarise a fine-tuning experiment: estimates, curves over the epochs, and contrasts with the other neuron sets."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FINE_TUNING
from dkn.study.protocol import applied
from dkn.summaries.fine_tuning import QuestionSettings, question_counts, set_reports, summarise, whether_run
from dkn.summaries.stored import write_summary


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    others: Annotated[list[Path], Option(help="Records of another fine-tuning experiment; repeatable.")],
    training: Annotated[Path, Option(help="training.json of the experiment.")],
    model_name: flags.ModelName,
    experiment: flags.Experiment,
    output: flags.Output,
    statistics: flags.Statistics,
    released: flags.Released = None,
    gated: flags.Gated = False,
) -> None:
    """Summarise one model's records of one experiment."""
    settings = StatisticsSettings(**vars(statistics))
    questions = applied("questions", QuestionSettings(), released, gated)
    trained = read_json(training)
    own_records = read_table(records, FINE_TUNING)
    other_records = pd.concat([read_table(path, FINE_TUNING) for path in others], ignore_index=True)
    content = {
        "experiment": experiment,
        "model": model_name,
        **whether_run(trained),
        "facts": question_counts(own_records),
        "sets": set_reports(trained),
        **summarise(own_records, other_records, settings, questions.questions),
    }
    write_summary(output, content, "summary-fine-tuning", settings, [records, *others])
    outcome = trained.get("not_run") or f"{trained['new_facts']} new facts"
    print(f"{model_name}, {experiment}: {outcome}")
