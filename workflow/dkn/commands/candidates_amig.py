"""Find candidate components with AMIG's method: pairs of neurons that do not matter alone but do together."""

from typing import Annotated

import numpy as np
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches
from dkn.decoder.loading import open_model
from dkn.facts.stored import facts_as_asked
from dkn.neurons.asking import Asking
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.amig import PairSettings, amig_pairs
from dkn.structure.candidates import candidates_table
from dkn.study.protocol import applied


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
    released: flags.Released = None,
) -> None:
    """Try single neurons and then pairs of them, in every fact that has two knowledge neurons."""
    language_model = open_model(model, **vars(compute))
    asking = Asking.with_switches(batch, released)
    settings = applied("pairs", PairSettings(tried, matters), released)
    table = read_table(neurons, KNOWLEDGE_NEURONS)
    members = {fact_id: neuron_set for fact_id, neuron_set in neuron_sets(table).items() if len(neuron_set) > 1}
    scores = {
        str(fact_id): frame.sort_values("place")["score"].to_numpy(dtype=np.float64)
        for fact_id, frame in table.groupby("fact_id")
    }
    chosen = facts_as_asked(facts, known, released).loc[list(members)]
    pairs: dict[str, list[np.ndarray]] = {}
    arguments = settings.neurons, settings.matters, settings.pairing, asking.edits
    for group in progress(list(batches(asking.encoded(language_model, chosen), batch)), "AMIG", unit="batch"):
        pairs |= amig_pairs(language_model.adapter, group, members, scores, *arguments)
    candidates = candidates_table({fact_id: [pairs[fact_id]] for fact_id in members})
    record = provenance("candidates-amig", {**vars(settings), **asking.stated()}, [model, facts, known, neurons])
    write_table(output, candidates, CANDIDATES, record)
    print(f"{len(candidates)} pairs in {candidates['fact_id'].nunique()} of {len(members)} facts")
