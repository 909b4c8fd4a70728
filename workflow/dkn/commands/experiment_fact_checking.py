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
from dkn.study.names import DETECTORS, DKN, KN


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    relation_neurons: Annotated[int, Option(help="The most neurons of a relation-level set.")],
    random_sets: Annotated[int, Option(help="Draws of random neurons per relation; per fact there is one.")],
    seed: flags.Seed,
    output: Annotated[Path, Option(help="Records of the DKN and of its control.")],
    kn_output: Annotated[Path, Option(help="Records of the knowledge neurons and of their control.")],
    compute: flags.Compute,
    limit: flags.Limit = None,
    complex_limit: flags.ComplexLimit = None,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per statement and neuron set; one pass of attribution serves all sets."""
    language_model = open_model(model, **vars(compute))
    n_neurons = language_model.adapter.n_neurons
    frame = study_facts(facts, known, "all")
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    dkns = dkn_sets(read_table(components, COMPONENTS), members)
    statements = sampled_statements(frame, members, limit, complex_limit, seed)
    sets: dict[str, list[StatementSet]] = {name: [] for name in statements["fact_id"].unique()}
    for detector, of_facts in ((DKN, dkns), (KN, members)):
        by_relation = {
            relation: with_control(detector, "relation", relation, shared, n_neurons, seed, random_sets)
            for relation, shared in relation_sets(of_facts, frame, relation_neurons).items()
        }
        for fact_id, of_fact in sets.items():
            if fact_id in of_facts:
                of_fact += with_control(detector, "own", fact_id, of_facts[fact_id], n_neurons, seed)
            of_fact += by_relation.get(frame.loc[fact_id, "relation"], [])
    encoded, left_out = encoded_statements(language_model, statements)
    scores = attribution_records(language_model, statements, encoded, sets, batch)
    records = as_records(statements, scores, FACT_CHECKING.names)
    settings = {
        "relation_neurons": relation_neurons,
        "random_sets": random_sets,
        "limit": limit,
        "complex_limit": complex_limit,
        "seed": seed,
        "wordings_left_out": len(left_out),
    }
    record = provenance("experiment-fact-checking", settings, [model, facts, known, neurons, components])
    is_kn = records["detector"].isin(DETECTORS[KN])
    write_table(output, records[~is_kn], FACT_CHECKING, record)
    write_table(kn_output, records[is_kn], FACT_CHECKING, record)
    say_left_out(left_out, "the statements in them")
    print(f"{len(encoded)} statements of {len(sets)} facts")
