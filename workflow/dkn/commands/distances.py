"""Distances between each fact's knowledge neurons, through the model's weights."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from dkn.commands._flags import DeviceFlag, DtypeFlag, GpusFlag, ModelFlag, OutputFlag, ThreadsFlag
from dkn.commands._shared import neuron_sets, open_model
from dkn.distances import connection_vectors, distance_matrix
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import DISTANCES, KNOWLEDGE_NEURONS


def main(
    model: ModelFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    output: OutputFlag,
    max_span: Annotated[int | None, Option(help="The most layers a path may climb.")] = None,
    fold_norm: Annotated[bool, Option(help="Multiply reading vectors by the norm's gain.")] = False,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """Store the finite distances of every fact."""
    adapter = open_model(model, device, dtype, threads, gpus).adapter
    parts = []
    for fact_id, members in progress(neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)).items(), "distances"):
        matrix = distance_matrix(members.layers, *connection_vectors(adapter, members, fold_norm), max_span)
        first, second = np.nonzero(np.triu(np.isfinite(matrix), 1))
        parts.append(
            pd.DataFrame({"fact_id": fact_id, "first": first, "second": second, "distance": matrix[first, second]})
        )
    record = provenance("distances", {"max_span": max_span, "fold_norm": fold_norm}, [model, neurons])
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=DISTANCES.names)
    write_table(output, found, DISTANCES, record)
