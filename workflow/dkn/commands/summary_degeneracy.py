"""Summary of the degeneracy experiment: how many facts are left at each step, estimates, curves, contrasts."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn.experiments.degeneracy_summary import StatisticsSettings, summarise
from dkn.io import read_table, write_json
from dkn.provenance import provenance
from dkn.tables import COMPONENTS, DEGENERACY, DISTANCES, KNOWLEDGE_NEURONS, KNOWN


def _funnel(
    known: pd.DataFrame, neurons: pd.DataFrame, distances: pd.DataFrame, components: pd.DataFrame
) -> dict[str, int]:
    """How many facts are left at each step, so that nobody takes few facts for a strong effect."""
    candidates = components.groupby("fact_id").size()
    kept = components[components["kept"]].groupby("fact_id").size()
    return {
        "facts": len(known),
        "known": int(known["known"].sum()),
        "with_knowledge_neurons": neurons["fact_id"].nunique(),
        "with_finite_distances": distances["fact_id"].nunique(),
        "with_candidates": len(candidates),
        "with_two_candidates": int((candidates >= 2).sum()),
        "with_bdcs": len(kept),
        "degenerate": int((kept >= 2).sum()),
    }


def main(
    known: Annotated[Path, Option(help="known.parquet")],
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    distances: Annotated[Path, Option(help="distances.parquet")],
    components: Annotated[Path, Option(help="Tested components.")],
    records: Annotated[Path, Option(help="Records of the experiment.")],
    model_name: Annotated[str, Option(help="The model's name in this study.")],
    experiment: Annotated[str, Option(help="The experiment's name.")],
    seed: Annotated[int, Option(help="The study's seed.")],
    output: Annotated[Path, Option(help="summary.json")],
    resamples: Annotated[int, Option(help="Bootstrap and permutation resamples.")] = 2000,
    confidence: Annotated[float, Option(help="Confidence of intervals.")] = 0.95,
) -> None:
    """Summarise one model's records."""
    settings = StatisticsSettings(resamples, confidence, seed)
    funnel = _funnel(
        read_table(known, KNOWN),
        read_table(neurons, KNOWLEDGE_NEURONS),
        read_table(distances, DISTANCES),
        read_table(components, COMPONENTS),
    )
    content: dict[str, Any] = {
        "experiment": experiment,
        "model": model_name,
        "funnel": funnel,
        **summarise(read_table(records, DEGENERACY), settings),
        "provenance": provenance(
            "summary-degeneracy", vars(settings), [known, neurons, distances, components, records]
        ),
    }
    write_json(output, content)
    print(f"{model_name}: {funnel['degenerate']} of {funnel['known']} known facts are degenerate")
