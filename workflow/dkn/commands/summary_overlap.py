"""Summary of the overlap experiment: estimates, contrasts, and the unions' overlap against chance."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._flags import ConfidenceFlag, ExperimentFlag, ModelNameFlag, OutputFlag, ResamplesFlag, SeedFlag
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.overlap_summary import summarise
from dkn.io import read_json, read_table, write_json
from dkn.provenance import provenance
from dkn.tables import OVERLAP, OVERLAP_CURVES


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    curves: Annotated[Path, Option(help="Table of the unions' overlap.")],
    training: Annotated[Path, Option(help="training.json of the run that trained all parameters.")],
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
    write_json(
        output,
        {
            "experiment": experiment,
            "model": model_name,
            **{key: trained[key] for key in ("new_facts", "minimum", "not_run") if key in trained},
            **summarise(read_table(records, OVERLAP), read_table(curves, OVERLAP_CURVES), settings),
            "provenance": provenance("summary-overlap", vars(settings), [records, curves]),
        },
    )
    print(f"{model_name}, {experiment}: {trained.get('not_run') or trained['new_facts']}")
