"""Run the degeneracy experiment over a grid of tau1, tests and tau2, at one KN fraction and filtration limit."""

from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.attribution.selection import knowledge_neurons
from dkn.decoder.loading import open_model
from dkn.experiments.degeneracy import DegeneracySettings
from dkn.experiments.sensitivity import Grid, Sample, sensitivity_records
from dkn.facts.sampling import sample_by_subject
from dkn.facts.stored import AskedFacts, study_facts
from dkn.neurons.asking import Asking
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import SCORES, SENSITIVITY
from dkn.structure.distances import DistanceSettings
from dkn.structure.functional_test import FunctionalTest
from dkn.structure.ntc import NTCSettings
from dkn.study.protocol import applied


def main(
    model: flags.Model,
    model_name: flags.ModelName,
    facts: flags.Facts,
    known: flags.Known,
    scores: flags.Scores,
    output: flags.Output,
    which: Annotated[str, Option(help="The facts to sample: known, unknown or all.")],
    fraction: flags.Fraction,
    quantile: flags.Quantile,
    tau1: Annotated[list[float], Option(help="Persistence that a component must exceed; repeatable.")],
    test: Annotated[list[str], Option(help="Functional test: sufficiency, absolute or compensation; repeatable.")],
    tau2: Annotated[list[float], Option(help="Threshold of the functional tests; repeatable.")],
    persistence: Annotated[str, Option(help="Definition of persistence: difference or ratio.")],
    min_size: flags.MinSize,
    max_subsets: flags.MaxSubsets,
    partitions: flags.Partitions,
    seed: flags.Seed,
    compute: flags.Compute,
    sample: Annotated[
        int | None, Option(help="About how many facts to take, whole subjects at a time; all where not given.")
    ] = None,
    cap: flags.Cap = None,
    max_span: flags.MaxSpan = None,
    fold_norm: flags.FoldNorm = False,
    batch: flags.Batch = 8,
    released: flags.Released = None,
) -> None:
    """Write one record per sampled fact and grid point, from stored attributions."""
    language_model = open_model(model, **vars(compute))
    asking = Asking.with_switches(batch, released)
    asked = applied("asked facts", AskedFacts(which), released)
    gated = language_model.adapter.gated
    distances = applied("distances", DistanceSettings(max_span, fold_norm), released, gated)
    clusterings = [NTCSettings(persistence, value, quantile, min_size) for value in tau1]
    grid = Grid(
        clusterings=[applied("clustering", clustering, released) for clustering in clusterings],
        tests=[FunctionalTest(name, value) for name in test for value in tau2],
        degeneracy=DegeneracySettings(max_subsets, partitions, seed),
        **vars(distances),
        edits=asking.edits,
    )
    chosen = sample_by_subject(study_facts(facts, known, **vars(asked)), sample, seed, "sensitivity")
    table = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    neurons, _ = knowledge_neurons(table[table["fact_id"].isin(chosen.index)], fraction, cap)
    sampled = Sample(asking.encoded(language_model, chosen), chosen["subject"], neuron_sets(neurons))
    records = sensitivity_records(language_model.adapter, sampled, grid, batch)
    records = records.assign(model=model_name, fraction=fraction, quantile=quantile)
    settings = {
        **vars(grid.degeneracy),
        **vars(asked),
        **vars(distances),
        **asking.stated(),
        "clustering": grid.clusterings[0].clustering,
        "fraction": fraction,
        "quantile": quantile,
        "tau1": tau1,
        "test": test,
        "tau2": tau2,
        "persistence": persistence,
        "min_size": min_size,
        "sample": sample,
        "cap": cap,
    }
    write_table(
        output, records, SENSITIVITY, provenance("experiment-sensitivity", settings, [model, facts, known, *scores])
    )
    points = len(tau1) * len(grid.tests)
    print(f"{len(chosen)} facts at {points} grid points, and {len(tau1)} without a functional test")
