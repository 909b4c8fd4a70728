"""Base degenerate components: candidates that pass the functional test."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

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
from dkn.commands._shared import encoded, neuron_sets, open_model, study_facts
from dkn.encoding import batches
from dkn.functional_test import FunctionalTest, measure_components
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import CANDIDATES, COMPONENTS, KNOWLEDGE_NEURONS


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    candidates: Annotated[Path, Option(help="Candidate components.")],
    output: OutputFlag,
    test: Annotated[str, Option(help="sufficiency or compensation.")],
    tau2: Annotated[float, Option(help="Threshold of the functional test.")],
    batch: BatchFlag = 16,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
) -> None:
    """Run the functional test on every candidate of every fact."""
    functional = FunctionalTest(test, tau2)
    language_model = open_model(model, device, dtype, threads)
    table = read_table(candidates, CANDIDATES)
    groups = dict(list(table.groupby("fact_id")))
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    chosen = study_facts(facts, known, "all").loc[list(groups)]
    results = []
    for group in progress(list(batches(list(encoded(language_model, chosen).values()), batch)), test, unit="batch"):
        for frame in measure_components(language_model.adapter, group, members, groups):
            kept = functional.passes(frame["recovery"].to_numpy(), frame["drop"].to_numpy())
            results.append(frame.assign(kept=kept))
    tested = pd.concat(results) if results else table.reindex(columns=COMPONENTS.names)
    tested = tested.sort_values(["fact_id", "component"], ignore_index=True)
    record = provenance("components", vars(functional), [model, facts, known, neurons, candidates])
    write_table(output, tested, COMPONENTS, record)
    kept = tested[tested["kept"].astype(bool)].groupby("fact_id").size()
    print(f"{int(kept.sum())} of {len(tested)} components kept; {int((kept >= 2).sum())} facts are degenerate")
