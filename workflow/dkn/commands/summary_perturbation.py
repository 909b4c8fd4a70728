"""Summary of a suppression or enhancement experiment: counts, estimates, contrasts of the DKN with other sets."""

from pathlib import Path
from typing import Annotated, Any

from typer import Option

from dkn.commands._flags import ConfidenceFlag, ExperimentFlag, ModelNameFlag, OutputFlag, ResamplesFlag, SeedFlag
from dkn.experiments.degeneracy_summary import StatisticsSettings
from dkn.experiments.perturbation_summary import summarise
from dkn.io import read_table, write_json
from dkn.provenance import provenance
from dkn.tables import PERTURBATION


def main(
    records: Annotated[Path, Option(help="Records of the experiment.")],
    setting: Annotated[str, Option(help="suppression or enhancement.")],
    model_name: ModelNameFlag,
    experiment: ExperimentFlag,
    seed: SeedFlag,
    output: OutputFlag,
    resamples: ResamplesFlag = 2000,
    confidence: ConfidenceFlag = 0.95,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(resamples, confidence, seed)
    content: dict[str, Any] = {
        "experiment": experiment,
        "model": model_name,
        **summarise(read_table(records, PERTURBATION), setting, settings),
        "provenance": provenance("summary-perturbation", vars(settings), [records]),
    }
    write_json(output, content)
    print(f"{model_name}, {experiment}: {content['counts']['with_dkn']} facts")
