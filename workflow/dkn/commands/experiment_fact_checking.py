"""Run the experiments fact-checking-dkn and fact-checking-kn: attribute true and false answers to neuron sets."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import EncodingSettings
from dkn.decoder.loading import open_model
from dkn.experiments.fact_checking import ATTRIBUTION, checking_table
from dkn.experiments.statements import Checking, StatementSettings, say_left_out
from dkn.facts.stored import study_facts
from dkn.neurons.sets import dkn_sets, neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, FACT_CHECKING, KNOWLEDGE_NEURONS
from dkn.study.names import DETECTORS, KN
from dkn.study.protocol import applied


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
    released: flags.Released = None,
) -> None:
    """Write one record per statement and neuron set; one pass of attribution serves all sets."""
    language_model = open_model(model, **vars(compute))
    gated = language_model.adapter.gated
    statements = applied("statements", StatementSettings(), released)
    attribution = applied("attribution", ATTRIBUTION, released, gated)
    attribution = applied("statement attribution", attribution, released, gated)
    encoding = applied("attributed answer", EncodingSettings(), released)
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    checked = checking_table(
        language_model,
        study_facts(facts, known, "all"),
        members,
        dkn_sets(read_table(components, COMPONENTS), members),
        Checking(limit, complex_limit, seed, statements),
        relation_neurons,
        random_sets,
        attribution,
        encoding,
        batch,
    )
    left_out = checked.left_out["statements"]
    settings = {
        "relation_neurons": relation_neurons,
        "random_sets": random_sets,
        "limit": limit,
        "complex_limit": complex_limit,
        "seed": seed,
        "wordings_left_out": len(left_out),
        **vars(statements),
        **vars(attribution),
        **vars(encoding),
    }
    record = provenance("experiment-fact-checking", settings, [model, facts, known, neurons, components])
    is_kn = checked.records["detector"].isin(DETECTORS[KN])
    write_table(output, checked.records[~is_kn], FACT_CHECKING, record)
    write_table(kn_output, checked.records[is_kn], FACT_CHECKING, record)
    say_left_out(left_out, "the statements in them")
    print(f"{checked.statements} statements of {checked.facts} facts")
