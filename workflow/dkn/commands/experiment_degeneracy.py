"""Experiment degeneracy: suppress subsets of a fact's components, and random groups of the same sizes."""

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
    SeedFlag,
    ThreadsFlag,
)
from dkn.commands._shared import encoded, neuron_sets, open_model, study_facts
from dkn.encoding import batches
from dkn.experiments.degeneracy import DegeneracySettings, Groups, degeneracy_records, with_controls
from dkn.interventions import NeuronSet
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import COMPONENTS, DEGENERACY, KNOWLEDGE_NEURONS


def _all_groups(
    components: pd.DataFrame, members: dict[str, NeuronSet], grouping: str, settings: DegeneracySettings
) -> dict[str, list[Groups]]:
    """Per fact its groups and controls, for both selections, where the fact has at least two components."""
    found: dict[str, list[Groups]] = {}
    for selection, chosen in (("bdc", components[components["kept"]]), ("candidate", components)):
        for fact_id, frame in chosen.groupby("fact_id"):
            if len(frame) >= 2:
                neurons = len(members[fact_id])
                places = list(frame["places"])
                found.setdefault(fact_id, []).extend(
                    with_controls(fact_id, selection, places, neurons, settings, grouping)
                )
    return found


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    components: Annotated[Path, Option(help="Tested components of one grouping.")],
    grouping: Annotated[str, Option(help="Name of the grouping, for the records.")],
    seed: SeedFlag,
    output: OutputFlag,
    max_subsets: Annotated[int, Option(help="The most proper subsets of a fact.")],
    partitions: Annotated[int, Option(help="Random partitions of the control.")],
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
) -> None:
    """One record per fact, grouping and suppressed subset, for facts with at least two components."""
    settings = DegeneracySettings(max_subsets, partitions, seed)
    language_model = open_model(model, device, dtype, threads)
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    groups = _all_groups(read_table(components, COMPONENTS), members, grouping, settings)
    chosen = study_facts(facts, known, "all").loc[list(groups)]
    parts = [
        degeneracy_records(language_model.adapter, group, members, groups, settings)
        for group in progress(
            list(batches(list(encoded(language_model, chosen).values()), batch)), "degeneracy", unit="batch"
        )
    ]
    records = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=DEGENERACY.names)
    about = chosen[["subject", "relation"]]
    records = records.drop(columns=about.columns, errors="ignore").join(about, on="fact_id")
    records = records.sort_values(
        ["fact_id", "selection", "grouping", "repeat", "suppressed_components"], ignore_index=True, kind="stable"
    )
    record = provenance("experiment-degeneracy", vars(settings), [model, facts, known, neurons, components])
    write_table(output, records, DEGENERACY, record)
    print(f"{len(records)} interventions on {len(groups)} facts with at least two components")
