"""Run a suppression or enhancement experiment: intervene on neuron sets, on original and on perturbed queries."""

from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_fitting
from dkn.decoder.loading import open_model
from dkn.experiments.perturbation import PerturbationSettings, all_queries, named_sets, perturbation_records, query_id
from dkn.facts.stored import study_facts
from dkn.neurons.sets import dkn_sets, neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, KNOWLEDGE_NEURONS, PERTURBATION
from dkn.study.names import QUERIES


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    setting: Annotated[str, Option(help="The intervention: suppression or enhancement.")],
    site: Annotated[str, Option(help="What the intervention multiplies: values or weights.")],
    random_sets: Annotated[int, Option(help="Draws of each random set per fact.")],
    queries: Annotated[str, Option(help="Perturbed queries: preserving (the question) or any.")],
    seed: flags.Seed,
    output: flags.Output,
    compute: flags.Compute,
    batch: flags.Batch = 8,
) -> None:
    """Write one record per query and neuron set, for every fact that has degenerate knowledge neurons."""
    settings = PerturbationSettings(setting, site, random_sets, queries, seed)
    language_model = open_model(model, **vars(compute))
    adapter = language_model.adapter
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    tested = read_table(components, COMPONENTS)
    dkns = dkn_sets(tested, members)
    frame = study_facts(facts, known, "all")
    sets = named_sets(dkns, members, frame, adapter.n_neurons, settings)
    asked = all_queries(frame, frame.loc[list(dkns)], settings)
    answers = frame["answer"]
    encoded, left_out = encode_fitting(
        language_model,
        ((query_id(row.fact_id, row.query), row.prompt, answers[row.fact_id]) for row in asked.itertuples(index=False)),
    )
    if left_out:
        print(f"{len(left_out)} queries are left out, since the model cannot be asked them; the first: {left_out[0]}")
    tables = [
        perturbation_records(adapter, group, sets, settings)
        for group in progress(list(batches(encoded, batch * len(QUERIES))), f"{setting} of {site}", unit="batch")
    ]
    records = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["fact_id", "query"])
    counts = tested[tested["kept"]].groupby("fact_id").size().rename("components")
    records = records.merge(asked, on=["fact_id", "query"]).join(frame[["subject", "relation"]], on="fact_id")
    records = records.join(counts, on="fact_id").reindex(columns=PERTURBATION.names)
    records = records.sort_values(["fact_id", "query", "neuron_set", "repeat"], ignore_index=True)
    record = provenance("experiment-perturbation", vars(settings), [model, facts, known, neurons, components])
    write_table(output, records, PERTURBATION, record)
    if missing := [name for name in QUERIES if name not in set(asked["query"])] if len(dkns) else []:
        print(f"no query of the kinds {', '.join(missing)}: the facts' prompts are too short or hold too few words")
    print(f"{len(asked)} queries of {len(dkns)} facts with degenerate knowledge neurons")
