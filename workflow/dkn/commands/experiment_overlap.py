"""Run the overlap experiment: compare the neurons that full fine-tuning changes with those of the facts it taught."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.experiments.overlap import Changes, OverlapSettings, overlap_curves, overlap_members, overlap_records
from dkn.neurons.sets import dkn_sets, neuron_sets, union
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import (
    CHANGES,
    COMPONENTS,
    FINE_TUNING,
    KNOWLEDGE_NEURONS,
    OVERLAP,
    OVERLAP_CURVES,
    OVERLAP_MEMBERS,
)
from dkn.study.names import NEW


def main(
    changes: Annotated[Path, Option(help="Changes of the neurons in the runs that trained all parameters.")],
    learnt: Annotated[Path, Option(help="Records of the runs that trained all parameters, for the facts they taught.")],
    neurons: flags.Neurons,
    components: flags.Components,
    draws: Annotated[int, Option(help="Random exchanges of neurons of each kind.")],
    seed: flags.Seed,
    output: flags.Output,
    curves: Annotated[Path, Option(help="Second table to write: overlap of the unions of all facts' sets.")],
    members: Annotated[Path, Option(help="Third table to write: the neurons of these unions.")],
) -> None:
    """Write records per new fact, the overlap of the unions, and their neurons; all are empty without training."""
    settings = OverlapSettings(draws, seed)
    answered = read_table(learnt, FINE_TUNING)
    facts = answered[answered["split"] == NEW].drop_duplicates("fact_id").sort_values("fact_id")
    records, union_curves = pd.DataFrame(columns=OVERLAP.names), pd.DataFrame(columns=OVERLAP_CURVES.names)
    union_members = pd.DataFrame(columns=OVERLAP_MEMBERS.names)
    if len(facts):
        trainings = [Changes.of_table(table) for _, table in read_table(changes, CHANGES).groupby("draw")]
        kn = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
        dkn = dkn_sets(read_table(components, COMPONENTS), kn, fewest=2)
        records = overlap_records(facts, dkn, kn, trainings, settings)
        ids = facts["fact_id"]
        union_members = overlap_members(dkn, kn, ids)
        unions = union(dkn[key] for key in ids), union(kn[key] for key in ids)
        union_curves = overlap_curves(*unions, trainings[0], settings)
    record = provenance("experiment-overlap", vars(settings), [changes, learnt, neurons, components])
    write_table(output, records, OVERLAP, record)
    write_table(curves, union_curves, OVERLAP_CURVES, record)
    write_table(members, union_members, OVERLAP_MEMBERS, record)
    print(f"{len(records)} records of {len(facts)} new facts")
