"""Experiment degeneracy: suppress subsets of a fact's components, and random groups of the same sizes."""

from collections.abc import Iterator
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
    SeedFlag,
    ThreadsFlag,
    one_output_each,
)
from dkn.commands._shared import encoded, neuron_sets, open_model, study_facts
from dkn.encoding import batches
from dkn.experiments.degeneracy import DegeneracySettings, Groups, degeneracy_records, interventions, with_controls
from dkn.experiments.names import TESTED_CONTROL
from dkn.interventions import NeuronSet
from dkn.io import read_table, write_table
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import COMPONENTS, DEGENERACY, KNOWLEDGE_NEURONS


def _all_groups(
    components: pd.DataFrame, members: dict[str, NeuronSet], grouping: str, settings: DegeneracySettings
) -> Iterator[tuple[str, list[Groups]]]:
    """For every fact with at least two components its groups and controls, for both selections.

    The tested control needs no control of its own, and its untested groups are what the other control is.
    """
    for (fact_id, repeat), frame in components.groupby(["fact_id", "repeat"]):
        kept = frame[frame["kept"]]
        for selection, chosen in (("bdc", kept), ("candidate", frame)):
            places = list(chosen["places"])
            if len(places) < 2:
                continue
            if grouping != TESTED_CONTROL:
                yield fact_id, with_controls(fact_id, selection, places, len(members[fact_id]), settings, grouping)
            elif selection == "bdc":
                yield fact_id, [Groups(selection, grouping, int(repeat), places, grouping)]


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    components: Annotated[list[Path], Option(help="Tested components of a grouping; repeatable.")],
    grouping: Annotated[list[str], Option(help="Name of each grouping, for the records; repeatable.")],
    seed: SeedFlag,
    output: OutputsFlag,
    max_subsets: Annotated[int, Option(help="The most proper subsets of a fact.")],
    partitions: Annotated[int, Option(help="Random partitions of the control.")],
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """One record per fact, grouping and suppressed subset; all groupings of a fact are computed at once."""
    one_output_each(output, components=components, grouping=grouping)
    settings = DegeneracySettings(max_subsets, partitions, seed)
    language_model = open_model(model, device, dtype, threads, gpus)
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    groups: dict[str, list[Groups]] = {}
    for path, name in zip(components, grouping, strict=True):
        for fact_id, found in _all_groups(read_table(path, COMPONENTS), members, name, settings):
            groups.setdefault(fact_id, []).extend(found)
    chosen = study_facts(facts, known, "all").loc[list(groups)]
    parts = [pd.DataFrame(columns=[*DEGENERACY.names, "experiment"])]
    asked = list(encoded(language_model, chosen).values())
    grouped = batches(asked, batch, alike=lambda fact: interventions(groups[fact.fact_id], settings))
    for group in progress(list(grouped), "degeneracy", unit="batch"):
        parts.append(degeneracy_records(language_model.adapter, group, members, groups, settings))
    records = pd.concat(parts[1:] or parts, ignore_index=True)
    about = chosen[["subject", "relation"]]
    records = records.drop(columns=about.columns, errors="ignore").join(about, on="fact_id")
    records = records.sort_values(
        ["fact_id", "selection", "grouping", "repeat", "suppressed_components"], ignore_index=True, kind="stable"
    )
    for source, name, target in zip(components, grouping, output, strict=True):
        own = records[records["experiment"] == name].drop(columns="experiment")
        record = provenance("experiment-degeneracy", vars(settings), [model, facts, known, neurons, source])
        write_table(target, own, DEGENERACY, record)
        print(f"{name}: {len(own)} interventions on {own['fact_id'].nunique()} facts with at least two components")
