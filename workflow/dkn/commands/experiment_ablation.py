"""Run the ablation experiment: suppress the first neurons of several orders, more and more, or all but the first."""

from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_all
from dkn.decoder.loading import open_model
from dkn.experiments.ablation import AblationSettings, ablation_records, scored_neurons
from dkn.facts.sampling import sample_by_subject
from dkn.facts.stored import study_facts
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import ABLATION, KNOWLEDGE_NEURONS, SCORES


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    scores: flags.Scores,
    neurons: flags.Neurons,
    draws: Annotated[int, Option(help="Random orders of the neurons, per fact.")],
    seed: flags.Seed,
    output: flags.Output,
    compute: flags.Compute,
    limit: flags.Limit = None,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per sampled fact with knowledge neurons, order, intervention and number of neurons."""
    settings = AblationSettings(draws, seed)
    language_model = open_model(model, **vars(compute))
    members = read_table(neurons, KNOWLEDGE_NEURONS)
    frame = study_facts(facts, known, "all")
    chosen = sample_by_subject(frame[frame["fact_id"].isin(members["fact_id"])], limit, seed, "ablation")
    table = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    scored = scored_neurons(table, members[members["fact_id"].isin(chosen.index)])
    tables = [
        ablation_records(language_model.adapter, group, scored, settings)
        for group in progress(list(batches(encode_all(language_model, chosen), batch)), "ablation", unit="batch")
    ]
    records = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["fact_id"])
    records = records.join(frame[["subject", "relation"]], on="fact_id").reindex(columns=ABLATION.names)
    keys = ["fact_id", "order", "repeat", "intervention", "neurons"]
    record = provenance(
        "experiment-ablation", {**vars(settings), "limit": limit}, [model, facts, known, *scores, neurons]
    )
    write_table(output, records.sort_values(keys, ignore_index=True), ABLATION, record)
    print(f"{len(chosen)} of {members['fact_id'].nunique()} facts with knowledge neurons")
