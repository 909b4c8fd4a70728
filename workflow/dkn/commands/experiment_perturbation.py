"""Experiments suppression and enhancement: neuron sets suppressed or boosted on original and perturbed queries."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    OutputFlag,
    SeedFlag,
    ThreadsFlag,
)
from dkn.commands._shared import dkn_sets, neuron_sets, open_model, study_facts
from dkn.encoding import batches, encode
from dkn.experiments.names import ORIGINAL, QUERIES
from dkn.experiments.perturbation import (
    PerturbationSettings,
    named_sets,
    perturbation_records,
    query_id,
)
from dkn.io import read_table, write_table
from dkn.perturbations import perturbed_prompts, vocabulary
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import COMPONENTS, KNOWLEDGE_NEURONS, PERTURBATION


def _queries(frame: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """All queries of the chosen facts; words are drawn from the prompts of all facts of ``frame``."""
    wordings = [*frame["prompt"], *frame["complex"], *(text for texts in frame["paraphrases"] for text in texts)]
    words = vocabulary(wordings)
    rows: list[dict[str, str]] = []
    for row in chosen.itertuples(index=False):
        prompts = {ORIGINAL: row.prompt, **perturbed_prompts(row.fact_id, row.prompt, row.subject, words, seed)}
        rows.extend({"fact_id": row.fact_id, "query": query, "prompt": text} for query, text in prompts.items())
    return pd.DataFrame(rows, columns=["fact_id", "query", "prompt"])


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    components: Annotated[Path, Option(help="Tested components.")],
    setting: Annotated[str, Option(help="suppression or enhancement.")],
    site: Annotated[str, Option(help="values or weights.")],
    random_sets: Annotated[int, Option(help="Draws of random neurons per fact.")],
    seed: SeedFlag,
    output: OutputFlag,
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """One record per query and neuron set, for every fact that has a degenerate knowledge neuron set."""
    settings = PerturbationSettings(setting, site, random_sets, seed)
    language_model = open_model(model, device, dtype, threads, gpus)
    adapter = language_model.adapter
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    tested = read_table(components, COMPONENTS)
    dkns = dkn_sets(tested, members)
    sets = {
        fact_id: named_sets(fact_id, dkn, members[fact_id], adapter.n_neurons, settings)
        for fact_id, dkn in dkns.items()
    }
    frame = study_facts(facts, known, "all")
    queries = _queries(frame, frame.loc[list(dkns)], seed)
    answers = frame["answer"]
    asked = [
        encode(language_model, query_id(row.fact_id, row.query), row.prompt, answers[row.fact_id])
        for row in queries.itertuples(index=False)
    ]
    parts = [
        perturbation_records(adapter, group, sets, settings)
        for group in progress(list(batches(asked, batch * len(QUERIES))), f"{setting} of {site}", unit="batch")
    ]
    records = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["fact_id", "query"])
    counts = tested[tested["kept"]].groupby("fact_id").size().rename("components")
    records = records.merge(queries, on=["fact_id", "query"]).join(frame[["subject", "relation"]], on="fact_id")
    records = records.join(counts, on="fact_id").reindex(columns=PERTURBATION.names)
    records = records.sort_values(["fact_id", "query", "neuron_set", "repeat"], ignore_index=True)
    record = provenance("experiment-perturbation", vars(settings), [model, facts, known, neurons, components])
    write_table(output, records, PERTURBATION, record)
    print(f"{len(queries)} queries of {len(dkns)} facts with degenerate knowledge neurons")
