"""Experiment overlap: compare the neurons that full fine-tuning changes with those that carry the facts it taught."""

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
    changes: Annotated[Path, Option(help="Changes of the run that trained all parameters.")],
    learnt: Annotated[Path, Option(help="Records of that run, for the facts it taught.")],
    neurons: flags.Neurons,
    components: flags.Components,
    draws: Annotated[int, Option(help="Random sets of each kind.")],
    seed: flags.Seed,
    output: flags.Output,
    curves: Annotated[Path, Option(help="Table of the unions' overlap to write.")],
    members: Annotated[Path, Option(help="Table of the neurons in the unions to write.")],
) -> None:
    """Records per new fact, the union of all with its overlap, and its neurons; all empty where nothing was trained."""
    settings = OverlapSettings(draws, seed)
    answered = read_table(learnt, FINE_TUNING)
    facts = answered[answered["split"] == NEW].drop_duplicates("fact_id").sort_values("fact_id")
    found, whole = pd.DataFrame(columns=OVERLAP.names), pd.DataFrame(columns=OVERLAP_CURVES.names)
    counted = pd.DataFrame(columns=OVERLAP_MEMBERS.names)
    if len(facts):
        table = Changes.of_table(read_table(changes, CHANGES))
        kn = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
        dkn = dkn_sets(read_table(components, COMPONENTS), kn, fewest=2)
        found = overlap_records(facts, dkn, kn, table, settings)
        ids = facts["fact_id"]
        counted = overlap_members(dkn, kn, ids)
        whole = overlap_curves(union(dkn[key] for key in ids), union(kn[key] for key in ids), table, settings)
    made = provenance("experiment-overlap", vars(settings), [changes, learnt, neurons, components])
    write_table(output, found, OVERLAP, made)
    write_table(curves, whole, OVERLAP_CURVES, made)
    write_table(members, counted, OVERLAP_MEMBERS, made)
    print(f"{len(found)} records of {len(facts)} new facts")
