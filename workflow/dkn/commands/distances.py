"""Compute the distances between each fact's knowledge neurons from the model's weights."""

import numpy as np
import pandas as pd

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import DISTANCES, KNOWLEDGE_NEURONS
from dkn.structure.distances import DistanceSettings
from dkn.study.protocol import applied


def main(
    model: flags.Model,
    neurons: flags.Neurons,
    output: flags.Output,
    compute: flags.Compute,
    max_span: flags.MaxSpan = None,
    fold_norm: flags.FoldNorm = False,
    released: flags.Released = None,
) -> None:
    """Write the finite distances of every fact."""
    adapter = open_model(model, **vars(compute)).adapter
    settings = applied("distances", DistanceSettings(max_span, fold_norm), released, adapter.gated)
    tables = []
    for fact_id, members in progress(neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)).items(), "distances"):
        matrix = settings.matrix(adapter, members)
        first, second = np.nonzero(np.triu(np.isfinite(matrix), 1))
        tables.append(
            pd.DataFrame({"fact_id": fact_id, "first": first, "second": second, "distance": matrix[first, second]})
        )
    record = provenance("distances", vars(settings), [model, neurons])
    stored = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=DISTANCES.names)
    write_table(output, stored, DISTANCES, record)
