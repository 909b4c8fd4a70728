"""Integrated gradients of one shard of a model's facts."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from dkn.attribution import Attribution, AttributionSettings, attribute
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    KnownFlag,
    ModelFlag,
    OutputFlag,
    ThreadsFlag,
)
from dkn.commands._shared import encoded, open_model, study_facts
from dkn.encoding import batches
from dkn.io import TableWriter, atomic_file
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import COMPLETENESS, SCORES


def _scores(result: Attribution, floor: float) -> pd.DataFrame:
    """The positive scores above a fraction of the fact's largest."""
    largest = float(result.scores.max())
    layer, neuron = np.nonzero(result.scores.numpy() > max(floor * largest, 0.0))
    score = result.scores.numpy()[layer, neuron]
    return pd.DataFrame({"fact_id": result.fact_id, "layer": layer, "neuron": neuron, "score": score})


def _completeness(result: Attribution, tolerance: float) -> pd.DataFrame:
    token, layer = (part.ravel() for part in np.indices(result.change.shape))
    return pd.DataFrame(
        {
            "fact_id": result.fact_id,
            "token": token,
            "layer": layer,
            "prob": np.repeat(result.prob, result.change.shape[1]),
            "change": result.change.ravel(),
            "total": result.total.ravel(),
            "error": result.error.ravel(),
            "nodes": result.nodes.ravel(),
            "converged": result.error.ravel() <= tolerance,
        }
    )


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    output: OutputFlag,
    completeness: Annotated[Path, Option(help="Second table to write: completeness per fact, token and layer.")],
    shard: Annotated[str, Option(help="Which part of the facts, as in 2-of-8.")],
    which: Annotated[str, Option(help="known, unknown or all facts.")],
    baseline: Annotated[str, Option(help="amig or zero.")],
    quadrature: Annotated[str, Option(help="adaptive, gauss-legendre, midpoint or left-riemann.")],
    nodes: Annotated[int, Option(help="Nodes of the rule; of the first round for adaptive.")],
    tolerance: Annotated[float, Option(help="Completeness error that adaptive quadrature refines to.")],
    max_nodes: Annotated[int, Option(help="Node limit of adaptive quadrature.")],
    floor: Annotated[float, Option(help="Scores above this fraction of a fact's largest are stored.")],
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
) -> None:
    """Attribute every fact of the shard; one Parquet row group per fact, so memory does not grow with the shard."""
    language_model = open_model(model, device, dtype, threads)
    settings = AttributionSettings(baseline, quadrature, nodes, tolerance, max_nodes)
    index, count = (int(part) for part in shard.split("-of-"))
    chosen = study_facts(facts, known, which).sort_index().iloc[index - 1 :: count]
    groups = list(batches(list(encoded(language_model, chosen).values()), batch))
    record = provenance(
        "attribution", {**vars(settings), "floor": floor, "which": which, "shard": shard}, [model, facts, known]
    )
    missed = 0
    with (
        atomic_file(output) as scores_path,
        atomic_file(completeness) as completeness_path,
        TableWriter(scores_path, SCORES, record) as scores,
        TableWriter(completeness_path, COMPLETENESS, record) as checks,
    ):
        for group in progress(groups, f"attribution {shard}", unit="batch"):
            for result in attribute(language_model.adapter, group, language_model.mask_token, settings):
                scores.append(_scores(result, floor))
                checks.append(_completeness(result, tolerance))
                missed += int((result.error > tolerance).any())
    print(f"{len(chosen)} facts attributed; completeness error above {tolerance:g} somewhere in {missed} of them")
