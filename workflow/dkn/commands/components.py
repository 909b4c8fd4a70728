"""Test candidate components: those that pass the functional test are base degenerate components."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.facts.stored import facts_as_asked
from dkn.neurons.asking import Asking
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, COMPONENTS, KNOWLEDGE_NEURONS
from dkn.structure.functional_test import FunctionalTest, tested_components
from dkn.study.protocol import applied


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
    released: flags.Released = None,
) -> None:
    """Run the functional test on the candidates of every fact, on those of all groupings at once."""
    flags.one_output_each(output, candidates=candidates)
    functional = applied("functional test", FunctionalTest(test, tau2), released)
    asking = Asking.with_switches(batch, released)
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    table = pd.concat([read_table(path, CANDIDATES).assign(file=index) for index, path in enumerate(candidates)])
    studied = facts_as_asked(facts, known, released)
    tested = tested_components(open_model(model, **vars(compute)), studied, members, table, functional, asking)
    for index, (source, target) in enumerate(zip(candidates, output, strict=True)):
        components = tested[tested["file"] == index].drop(columns="file")
        record = provenance(
            "components", {**vars(functional), **asking.stated()}, [model, facts, known, neurons, source]
        )
        write_table(target, components, COMPONENTS, record)
        kept = components[components["kept"].astype(bool)].groupby(["fact_id", "repeat"]).size()
        degenerate = kept[kept >= 2].reset_index()["fact_id"].nunique()
        draws = ", in some draw" if components["repeat"].any() else ""
        print(
            f"{target.stem}: {int(kept.sum())} of {len(components)} components kept; "
            f"{degenerate} facts are degenerate{draws}"
        )
