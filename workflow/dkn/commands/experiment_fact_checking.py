"""Run the experiments fact-checking-dkn and fact-checking-kn: attribute true and false answers to neuron sets."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.experiments.fact_checking import StatementSet, attribution_records, relation_sets, with_control
from dkn.experiments.statements import as_records, encoded_statements, sampled_statements, say_left_out
from dkn.facts.stored import study_facts
from dkn.neurons.sets import dkn_sets, neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, FACT_CHECKING, KNOWLEDGE_NEURONS


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    relation_neurons: Annotated[int, Option(help="The most neurons of a relation-level set.")],
    seed: flags.Seed,
    output: Annotated[Path, Option(help="Records of the DKN and of random neurons.")],
    kn_output: Annotated[Path, Option(help="Records of the knowledge neurons.")],
    compute: flags.Compute,
    limit: flags.Limit = None,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per statement and neuron set; one pass of attribution serves all sets."""
    language_model = open_model(model, **vars(compute))
    n_neurons = language_model.adapter.n_neurons
    frame = study_facts(facts, known, "all")
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    dkns = dkn_sets(read_table(components, COMPONENTS), members)
    statements = sampled_statements(frame, members, limit, seed)
    by_relation = {
        relation: with_control("relation", relation, dkn, n_neurons, seed)
        for relation, dkn in relation_sets(dkns, frame, relation_neurons).items()
    }
    for relation, kn in relation_sets(members, frame, relation_neurons).items():
        by_relation.setdefault(relation, []).append(StatementSet("kn", "relation", kn))
    sets = {}
    for row in statements.drop_duplicates("fact_id").itertuples(index=False):
        dkn = dkns.get(row.fact_id)
        own_dkn = [] if dkn is None else with_control("own", row.fact_id, dkn, n_neurons, seed)
        own_kn = StatementSet("kn", "own", members[row.fact_id])
        sets[row.fact_id] = [*own_dkn, own_kn, *by_relation.get(row.relation, [])]
    encoded, left_out = encoded_statements(language_model, statements)
    scores = attribution_records(language_model, statements, encoded, sets, batch)
    records = as_records(statements, scores, FACT_CHECKING.names)
    settings = {"relation_neurons": relation_neurons, "limit": limit, "seed": seed, "wordings_left_out": len(left_out)}
    record = provenance("experiment-fact-checking", settings, [model, facts, known, neurons, components])
    is_kn = records["detector"] == "kn"
    write_table(output, records[~is_kn], FACT_CHECKING, record)
    write_table(kn_output, records[is_kn], FACT_CHECKING, record)
    say_left_out(left_out, "the statements in them")
    print(f"{len(encoded)} statements of {len(sets)} facts")
