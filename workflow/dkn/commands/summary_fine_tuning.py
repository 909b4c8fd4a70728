"""Summary of a fine-tuning experiment: estimates, curves over epochs, contrasts with the other neuron sets."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import ConfidenceFlag, ExperimentFlag, ModelNameFlag, OutputFlag, ResamplesFlag, SeedFlag
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.fine_tuning_summary import summarise
from dkn.io import read_json, read_table, write_json
from dkn.provenance import provenance
from dkn.tables import FINE_TUNING

# Of a set's report, what is the same in every run on one machine; seconds and memory stay in training.json.
STATED = (
    "neuron_set",
    "draw",
    "neurons",
    "trained_parameters",
    "optimiser_state_bytes",
    "learning_rate",
    "learning_rate_at_edge",
    "epoch",
)


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    others: Annotated[list[Path], Option(help="Records of another fine-tuning experiment; may be repeated.")],
    training: Annotated[Path, Option(help="training.json of the experiment.")],
    model_name: ModelNameFlag,
    experiment: ExperimentFlag,
    seed: SeedFlag,
    output: OutputFlag,
    resamples: ResamplesFlag = 2000,
    confidence: ConfidenceFlag = 0.95,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(resamples, confidence, seed)
    trained = read_json(training)
    own = read_table(records, FINE_TUNING)
    rest = pd.concat([read_table(path, FINE_TUNING) for path in others], ignore_index=True)
    asked = own[own["epoch"] == 0].drop_duplicates(["role", "split", "fact_id"])
    write_json(
        output,
        {
            "experiment": experiment,
            "model": model_name,
            **{key: trained[key] for key in ("new_facts", "minimum", "not_run") if key in trained},
            "facts": {f"{split}/{role}": len(rows) for (split, role), rows in asked.groupby(["split", "role"])},
            "sets": [{key: part[key] for key in STATED} for part in trained.get("sets", [])],
            **summarise(own, rest, settings),
            "provenance": provenance("summary-fine-tuning", vars(settings), [records, *others]),
        },
    )
    print(f"{model_name}, {experiment}: {trained.get('not_run') or len(asked)}")
