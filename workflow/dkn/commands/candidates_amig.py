"""Candidate components by AMIG's pairs: neurons that do not matter alone and do together."""

from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Option

from dkn.amig import amig_pairs
from dkn.commands._candidates import candidates_table
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    OutputFlag,
    ThreadsFlag,
)
from dkn.commands._shared import encoded, neuron_sets, open_model, study_facts
from dkn.encoding import batches
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import CANDIDATES, KNOWLEDGE_NEURONS


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    output: OutputFlag,
    tried: Annotated[int, Option(help="Neurons of a fact whose pairs are tried, the largest scores first.")],
    matters: Annotated[float, Option(help="Share of the drop without any KN above which a suppression matters.")],
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """Try single neurons, then their pairs, of every fact that has two knowledge neurons."""
    language_model = open_model(model, device, dtype, threads, gpus)
    table = read_table(neurons, KNOWLEDGE_NEURONS)
    members = {fact_id: found for fact_id, found in neuron_sets(table).items() if len(found) > 1}
    scores = {
        str(fact_id): frame.sort_values("place")["score"].to_numpy(dtype=np.float64)
        for fact_id, frame in table.groupby("fact_id")
    }
    chosen = study_facts(facts, known, "all").loc[list(members)]
    found: dict[str, list[np.ndarray]] = {}
    for group in progress(list(batches(list(encoded(language_model, chosen).values()), batch)), "AMIG", unit="batch"):
        found |= amig_pairs(language_model.adapter, group, members, scores, tried, matters)
    candidates = candidates_table({fact_id: [found[fact_id]] for fact_id in members})
    record = provenance("candidates-amig", {"tried": tried, "matters": matters}, [model, facts, known, neurons])
    write_table(output, candidates, CANDIDATES, record)
    print(f"{len(candidates)} pairs in {candidates['fact_id'].nunique()} of {len(members)} facts")
