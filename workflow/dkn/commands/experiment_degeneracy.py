"""Run the degeneracy experiments: suppress subsets of a fact's components, and random groups of the same sizes."""

from itertools import chain
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_all
from dkn.decoder.loading import open_model
from dkn.experiments.degeneracy import (
    DegeneracySettings,
    Groups,
    all_groups,
    degeneracy_records,
    groups_of_other_facts,
    interventions,
)
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, DEGENERACY, KNOWLEDGE_NEURONS
from dkn.study.names import NTC


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: Annotated[list[Path], Option(help="Tested components of a grouping; repeatable.")],
    grouping: Annotated[list[str], Option(help="Name of each grouping, for the records; repeatable.")],
    seed: flags.Seed,
    output: flags.Outputs,
    max_subsets: flags.MaxSubsets,
    partitions: flags.Partitions,
    compute: flags.Compute,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per fact, grouping and suppressed subset; all groupings of a fact are computed at once."""
    flags.one_output_each(output, components=components, grouping=grouping)
    settings = DegeneracySettings(max_subsets, partitions, seed)
    language_model = open_model(model, **vars(compute))
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    studied = study_facts(facts, known, "all")
    groups: dict[str, list[Groups]] = {}
    for path, name in zip(components, grouping, strict=True):
        tested = read_table(path, COMPONENTS)
        found = [all_groups(tested, members, name, settings)]
        if name == NTC:
            found.append(groups_of_other_facts(tested, members, studied, settings))
        for fact_id, groups_of_fact in chain(*found):
            groups.setdefault(fact_id, []).extend(groups_of_fact)
    chosen = studied.loc[list(groups)]
    tables = [pd.DataFrame(columns=[*DEGENERACY.names, "experiment"])]
    asked = encode_all(language_model, chosen)
    grouped = batches(asked, batch, alike=lambda fact: interventions(groups[fact.fact_id], settings))
    for group in progress(list(grouped), "degeneracy", unit="batch"):
        tables.append(degeneracy_records(language_model.adapter, group, groups, settings))
    records = pd.concat(tables[1:] or tables, ignore_index=True)
    about = chosen[["subject", "relation"]]
    records = records.drop(columns=about.columns, errors="ignore").join(about, on="fact_id")
    records = records.sort_values(
        ["fact_id", "selection", "grouping", "repeat", "suppressed_components"], ignore_index=True, kind="stable"
    )
    for source, name, target in zip(components, grouping, output, strict=True):
        written = records[records["experiment"] == name].drop(columns="experiment")
        record = provenance("experiment-degeneracy", vars(settings), [model, facts, known, neurons, source])
        write_table(target, written, DEGENERACY, record)
        print(
            f"{name}: {len(written)} interventions on {written['fact_id'].nunique()} facts with at least two components"
        )
