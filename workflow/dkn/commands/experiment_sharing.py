"""Ask whether facts' components take part in other facts: count shared neurons, and suppress components."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_all
from dkn.decoder.loading import open_model
from dkn.experiments.sharing import SharingSettings, degenerate_facts, plan, suppression_records
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, KNOWLEDGE_NEURONS, SHARING, SHARING_MEMBERS

ABOUT = ["subject", "relation"]
ORDER = ["fact_id", "component", "neuron_set", "repeat", "others", "asked"]


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    others: Annotated[int, Option(help="The most other facts of each kind that are asked per component.")],
    draws: Annotated[int, Option(help="Draws of each random set per component.")],
    seed: flags.Seed,
    output: flags.Output,
    members: Annotated[Path, Option(help="File to write: in how many facts the components' neurons are KNs.")],
    compute: flags.Compute,
    limit: flags.Limit = None,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per component and kind of facts, and one per component, suppressed group and asked fact."""
    settings = SharingSettings(limit, others, draws, seed)
    language_model = open_model(model, **vars(compute))
    adapter = language_model.adapter
    frame = study_facts(facts, known, "all")
    sets = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    bdcs = degenerate_facts(read_table(components, COMPONENTS), frame, settings)
    counted, asked = plan(bdcs, frame, sets, adapter, settings)
    encoded = encode_all(language_model, frame.loc[sorted(asked)])
    grouped = list(batches(encoded, batch, alike=lambda fact: len(asked[fact.fact_id])))
    suppressed = [
        row
        for group in progress(grouped, "sharing", unit="batch")
        for row in suppression_records(adapter, group, asked)
    ]
    record = provenance("experiment-sharing", vars(settings), [model, facts, known, neurons, components])
    for path, rows, schema in ((members, counted, SHARING_MEMBERS), (output, suppressed, SHARING)):
        records = pd.DataFrame(rows, columns=[name for name in schema.names if name not in ABOUT])
        records = records.join(frame[ABOUT], on="fact_id")
        records = records.sort_values([name for name in ORDER if name in records], ignore_index=True)
        write_table(path, records, schema, record)
    print(f"{len(bdcs)} components of {bdcs['fact_id'].nunique()} facts suppressed; {len(asked)} facts asked")
