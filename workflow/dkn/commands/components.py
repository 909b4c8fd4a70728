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
    GpusFlag,
    KnownFlag,
    ModelFlag,
    OutputsFlag,
    ThreadsFlag,
    one_output_each,
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
    candidates: Annotated[list[Path], Option(help="Candidate components of a grouping; repeatable.")],
    output: OutputsFlag,
    test: Annotated[str, Option(help="sufficiency or compensation.")],
    tau2: Annotated[float, Option(help="Threshold of the functional test.")],
    batch: BatchFlag = 16,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """Run the functional test on every candidate of every fact, all groupings of a fact at once."""
    one_output_each(output, candidates=candidates)
    functional = FunctionalTest(test, tau2)
    language_model = open_model(model, device, dtype, threads, gpus)
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    table = pd.concat([read_table(path, CANDIDATES).assign(file=place) for place, path in enumerate(candidates)])
    groups = dict(list(table.groupby("fact_id")))
    chosen = study_facts(facts, known, "all").loc[list(groups)]
    results = [table.iloc[:0].reindex(columns=[*COMPONENTS.names, "file"])]
    for group in progress(list(batches(list(encoded(language_model, chosen).values()), batch)), test, unit="batch"):
        for frame in measure_components(language_model.adapter, group, members, groups):
            kept = functional.passes(frame["recovery"].to_numpy(), frame["drop"].to_numpy())
            results.append(frame.assign(kept=kept))
    tested = pd.concat(results[1:] or results).sort_values(["fact_id", "repeat", "component"], ignore_index=True)
    for place, (source, target) in enumerate(zip(candidates, output, strict=True)):
        found = tested[tested["file"] == place].drop(columns="file")
        record = provenance("components", vars(functional), [model, facts, known, neurons, source])
        write_table(target, found, COMPONENTS, record)
        kept = found[found["kept"].astype(bool)].groupby(["fact_id", "repeat"]).size()
        degenerate = kept[kept >= 2].reset_index()["fact_id"].nunique()
        print(f"{target.stem}: {int(kept.sum())} of {len(found)} components kept; {degenerate} facts are degenerate")
