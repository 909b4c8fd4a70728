"""Experiments fact-checking-dkn and -kn: attribution of neuron sets for true and false stated answers."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.commands._fact_checking import encoded_statements, sampled_statements
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    SeedFlag,
    ThreadsFlag,
)
from dkn.commands._shared import dkn_sets, neuron_sets, open_model, study_facts
from dkn.experiments.fact_checking import StatementSet, as_records, attribution_records, relation_sets
from dkn.interventions import NeuronSet
from dkn.io import read_table, write_table
from dkn.neuron_sets import random_like
from dkn.provenance import provenance
from dkn.randomness import generator
from dkn.tables import COMPONENTS, FACT_CHECKING, KNOWLEDGE_NEURONS


def _with_control(origin: str, key: str, dkn: NeuronSet, n_neurons: int, seed: int) -> list[StatementSet]:
    """A DKN, and as many random neurons of the same layers."""
    random = random_like(dkn, n_neurons, generator(seed, f"fact-checking/random/{origin}", key))
    return [StatementSet("dkn", origin, dkn), StatementSet("random", origin, random)]


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    components: Annotated[Path, Option(help="Tested components.")],
    relation_neurons: Annotated[int, Option(help="The most neurons of a relation-level set.")],
    seed: SeedFlag,
    output: Annotated[Path, Option(help="Records of the DKN and of random neurons.")],
    kn_output: Annotated[Path, Option(help="Records of the knowledge neurons.")],
    limit: Annotated[int | None, Option(help="About the most facts; whole subjects are drawn.")] = None,
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """One record per statement and neuron set; one pass of attribution serves all sets."""
    language_model = open_model(model, device, dtype, threads, gpus)
    n_neurons = language_model.adapter.n_neurons
    frame = study_facts(facts, known, "all")
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    dkns = dkn_sets(read_table(components, COMPONENTS), members)
    statements = sampled_statements(frame, members, limit, seed)
    by_relation = {
        relation: _with_control("relation", relation, dkn, n_neurons, seed)
        for relation, dkn in relation_sets(dkns, frame, relation_neurons).items()
    }
    for relation, kn in relation_sets(members, frame, relation_neurons).items():
        by_relation.setdefault(relation, []).append(StatementSet("kn", "relation", kn))
    sets = {}
    for row in statements.drop_duplicates("fact_id").itertuples(index=False):
        own = _with_control("own", row.fact_id, dkns[row.fact_id], n_neurons, seed) if row.fact_id in dkns else []
        own_kn = StatementSet("kn", "own", members[row.fact_id])
        sets[row.fact_id] = [*own, own_kn, *by_relation.get(row.relation, [])]
    encoded = encoded_statements(language_model, statements)
    scores = attribution_records(language_model, statements, encoded, sets, batch)
    records = as_records(statements, scores, FACT_CHECKING.names)
    settings = {"relation_neurons": relation_neurons, "limit": limit, "seed": seed}
    record = provenance("experiment-fact-checking", settings, [model, facts, known, neurons, components])
    is_kn = records["detector"] == "kn"
    write_table(output, records[~is_kn], FACT_CHECKING, record)
    write_table(kn_output, records[is_kn], FACT_CHECKING, record)
    print(f"{len(statements)} statements of {len(sets)} facts")
