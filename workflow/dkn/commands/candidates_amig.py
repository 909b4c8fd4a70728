"""Find candidate components with AMIG's method: pairs of neurons that do not matter alone but do together."""

from typing import Annotated

import numpy as np
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_all
from dkn.decoder.loading import open_model
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.amig import amig_pairs
from dkn.structure.candidates import candidates_table


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    output: flags.Output,
    tried: Annotated[int, Option(help="Neurons of a fact whose pairs are tried, those with the largest scores first.")],
    matters: Annotated[
        float, Option(help="A suppression matters if it costs more than this share of the drop without any KN.")
    ],
    compute: flags.Compute,
    batch: flags.Batch = 8,
) -> None:
    """Try single neurons and then pairs of them, in every fact that has two knowledge neurons."""
    language_model = open_model(model, **vars(compute))
    table = read_table(neurons, KNOWLEDGE_NEURONS)
    members = {fact_id: neuron_set for fact_id, neuron_set in neuron_sets(table).items() if len(neuron_set) > 1}
    scores = {
        str(fact_id): frame.sort_values("place")["score"].to_numpy(dtype=np.float64)
        for fact_id, frame in table.groupby("fact_id")
    }
    chosen = study_facts(facts, known, "all").loc[list(members)]
    pairs: dict[str, list[np.ndarray]] = {}
    for group in progress(list(batches(encode_all(language_model, chosen), batch)), "AMIG", unit="batch"):
        pairs |= amig_pairs(language_model.adapter, group, members, scores, tried, matters)
    candidates = candidates_table({fact_id: [pairs[fact_id]] for fact_id in members})
    record = provenance("candidates-amig", {"tried": tried, "matters": matters}, [model, facts, known, neurons])
    write_table(output, candidates, CANDIDATES, record)
    print(f"{len(candidates)} pairs in {candidates['fact_id'].nunique()} of {len(members)} facts")
