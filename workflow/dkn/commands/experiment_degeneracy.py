"""Run the degeneracy experiments: suppress subsets of a fact's components, and random groups of the same sizes."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_table
from dkn.facts.stored import facts_as_asked
from dkn.neurons.asking import Asking
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, DEGENERACY, KNOWLEDGE_NEURONS


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: Annotated[list[Path], Option(help="Tested components of a grouping; repeatable.")],
    grouping: Annotated[list[str], Option(help="Name of each grouping, for the records; repeatable.")],
    seed: flags.Seed,
    output: flags.Outputs,
    max_subsets: flags.MaxSubsets,
    partitions: flags.Partitions,
    compute: flags.Compute,
    batch: flags.Batch = 8,
    released: flags.Released = None,
) -> None:
    """Write one record per fact, grouping and suppressed subset; all groupings of a fact are computed at once."""
    flags.one_output_each(output, components=components, grouping=grouping)
    settings = DegeneracySettings(max_subsets, partitions, seed)
    asking = Asking.with_switches(batch, released)
    records = degeneracy_table(
        open_model(model, **vars(compute)),
        facts_as_asked(facts, known, released),
        neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)),
        {name: read_table(path, COMPONENTS) for path, name in zip(components, grouping, strict=True)},
        settings,
        asking,
    )
    stated = {**vars(settings), **asking.stated()}
    for source, name, target in zip(components, grouping, output, strict=True):
        written = records[records["experiment"] == name].drop(columns="experiment")
        record = provenance("experiment-degeneracy", stated, [model, facts, known, neurons, source])
        write_table(target, written, DEGENERACY, record)
        print(
            f"{name}: {len(written)} interventions on {written['fact_id'].nunique()} facts with at least two components"
        )
