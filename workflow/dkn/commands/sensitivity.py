"""Experiment sensitivity: degeneracy over a grid of tau1 and tau2, at one KN fraction and filtration limit."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.clustering import NTCSettings
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    ModelNameFlag,
    OutputFlag,
    SeedFlag,
    ThreadsFlag,
)
from dkn.commands._shared import encoded, neuron_sets, open_model, study_facts
from dkn.experiments.degeneracy import DegeneracySettings
from dkn.experiments.sensitivity import Grid, Sample, sensitivity_records
from dkn.functional_test import FunctionalTest
from dkn.io import read_table, write_table
from dkn.knowledge import knowledge_neurons
from dkn.provenance import provenance
from dkn.sampling import sample_by_subject
from dkn.tables import SCORES, SENSITIVITY


def main(
    model: ModelFlag,
    model_name: ModelNameFlag,
    facts: FactsFlag,
    known: KnownFlag,
    scores: Annotated[list[Path], Option(help="A shard's scores; repeatable.")],
    output: OutputFlag,
    which: Annotated[str, Option(help="The facts to sample from: known, unknown or all.")],
    fraction: Annotated[float, Option(help="Of the fact's largest score over all layers.")],
    quantile: Annotated[float, Option(help="Where the filtration stops, of the finite distances.")],
    tau1: Annotated[list[float], Option(help="Components need more persistence than this; repeatable.")],
    tau2: Annotated[list[float], Option(help="Threshold of the functional test; repeatable.")],
    persistence: Annotated[str, Option(help="difference or ratio.")],
    min_size: Annotated[int, Option(help="The fewest neurons of a component.")],
    test: Annotated[str, Option(help="sufficiency or compensation.")],
    max_subsets: Annotated[int, Option(help="The most proper subsets of a fact.")],
    partitions: Annotated[int, Option(help="Random partitions of the control.")],
    seed: SeedFlag,
    sample: Annotated[int | None, Option(help="Facts to take, by subject; all where not given.")] = None,
    cap: Annotated[int | None, Option(help="The most neurons of a fact.")] = None,
    max_span: Annotated[int | None, Option(help="The most layers a path may climb.")] = None,
    fold_norm: Annotated[bool, Option(help="Multiply reading vectors by the norm's gain.")] = False,
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """From stored attributions to one record per sampled fact and grid point."""
    grid = Grid(
        clusterings=[NTCSettings(persistence, value, quantile, min_size) for value in tau1],
        tests=[FunctionalTest(test, value) for value in tau2],
        degeneracy=DegeneracySettings(max_subsets, partitions, seed),
        max_span=max_span,
        fold_norm=fold_norm,
    )
    language_model = open_model(model, device, dtype, threads, gpus)
    chosen = sample_by_subject(study_facts(facts, known, which), sample, seed, "sensitivity")
    table = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    neurons, _ = knowledge_neurons(table[table["fact_id"].isin(chosen.index)], fraction, cap)
    sampled = Sample(list(encoded(language_model, chosen).values()), chosen["subject"], neuron_sets(neurons))
    records = sensitivity_records(language_model.adapter, sampled, grid, batch)
    records = records.assign(model=model_name, fraction=fraction, quantile=quantile)
    settings = {
        **vars(grid.degeneracy),
        "which": which,
        "fraction": fraction,
        "quantile": quantile,
        "tau1": tau1,
        "tau2": tau2,
        "persistence": persistence,
        "min_size": min_size,
        "test": test,
        "sample": sample,
        "cap": cap,
        "max_span": max_span,
        "fold_norm": fold_norm,
    }
    write_table(output, records, SENSITIVITY, provenance("sensitivity", settings, [model, facts, known, *scores]))
    print(f"{len(chosen)} facts at {len(tau1) * len(tau2)} grid points, and {len(tau1)} without the functional test")
