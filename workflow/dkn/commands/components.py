"""Test candidate components: those that pass the functional test are base degenerate components."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import batches, encode_all
from dkn.decoder.loading import open_model
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.progress import progress
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, COMPONENTS, KNOWLEDGE_NEURONS
from dkn.structure.functional_test import FunctionalTest, measure_components


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    candidates: Annotated[list[Path], Option(help="Candidate components of a grouping; repeatable.")],
    output: flags.Outputs,
    test: flags.Test,
    tau2: Annotated[float, Option(help="Threshold of the functional test.")],
    compute: flags.Compute,
    batch: flags.Batch = 16,
) -> None:
    """Run the functional test on the candidates of every fact, on those of all groupings at once."""
    flags.one_output_each(output, candidates=candidates)
    functional = FunctionalTest(test, tau2)
    language_model = open_model(model, **vars(compute))
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    table = pd.concat([read_table(path, CANDIDATES).assign(file=index) for index, path in enumerate(candidates)])
    groups = dict(list(table.groupby("fact_id")))
    chosen = study_facts(facts, known, "all").loc[list(groups)]
    results = [table.iloc[:0].reindex(columns=[*COMPONENTS.names, "file"])]
    for group in progress(list(batches(encode_all(language_model, chosen), batch)), test, unit="batch"):
        for frame in measure_components(language_model.adapter, group, members, groups):
            results.append(frame.assign(kept=functional.passes(frame)))
    tested = pd.concat(results[1:] or results).sort_values(["fact_id", "repeat", "component"], ignore_index=True)
    for index, (source, target) in enumerate(zip(candidates, output, strict=True)):
        components = tested[tested["file"] == index].drop(columns="file")
        record = provenance("components", vars(functional), [model, facts, known, neurons, source])
        write_table(target, components, COMPONENTS, record)
        kept = components[components["kept"].astype(bool)].groupby(["fact_id", "repeat"]).size()
        degenerate = kept[kept >= 2].reset_index()["fact_id"].nunique()
        draws = ", in some draw" if components["repeat"].any() else ""
        print(
            f"{target.stem}: {int(kept.sum())} of {len(components)} components kept; "
            f"{degenerate} facts are degenerate{draws}"
        )
