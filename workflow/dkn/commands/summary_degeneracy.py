"""Summaries of the degeneracy experiment, one per grouping, and the comparison of NTC with all other groupings."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn.commands._flags import (
    ConfidenceFlag,
    FactsFlag,
    KnownFlag,
    ModelNameFlag,
    OutputsFlag,
    ResamplesFlag,
    SeedFlag,
    one_output_each,
)
from dkn.experiments.comparison import compare_gaps, compare_passing
from dkn.experiments.degeneracy_summary import StatisticsSettings, summarise
from dkn.experiments.names import NTC, TESTED_CONTROL
from dkn.funnel import funnel
from dkn.io import read_table, write_json
from dkn.provenance import provenance
from dkn.tables import COMPONENTS, DEGENERACY, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN


def main(
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet")],
    distances: Annotated[Path, Option(help="distances.parquet")],
    grouping: Annotated[list[str], Option(help="Name of a grouping; repeatable.")],
    components: Annotated[list[Path], Option(help="Tested components of each grouping, in the same order.")],
    records: Annotated[list[Path], Option(help="Records of each grouping, in the same order.")],
    model_name: ModelNameFlag,
    seed: SeedFlag,
    output: OutputsFlag,
    comparison: Annotated[Path, Option(help="comparison.json, of all groupings.")],
    resamples: ResamplesFlag = 2000,
    confidence: ConfidenceFlag = 0.95,
) -> None:
    """Summarise one model's records; NTC's summary sets the tested control beside it."""
    one_output_each(output, grouping=grouping, components=components, records=records)
    settings = StatisticsSettings(resamples, confidence, seed)
    subjects = read_table(facts, FACTS).set_index("fact_id")["subject"]
    shared = (read_table(known, KNOWN), read_table(neurons, KNOWLEDGE_NEURONS), read_table(distances, DISTANCES))
    tested = {name: read_table(path, COMPONENTS) for name, path in zip(grouping, components, strict=True)}
    measured = {name: read_table(path, DEGENERACY) for name, path in zip(grouping, records, strict=True)}
    common = [facts, known, neurons, distances]

    for place, name in enumerate(grouping):
        beside = [TESTED_CONTROL] if name == NTC and TESTED_CONTROL in grouping else []
        used = [grouping.index(part) for part in (name, *beside)]
        steps = funnel(*shared, tested[name])
        content: dict[str, Any] = {
            "experiment": f"degeneracy-{name}",
            "grouping": name,
            "model": model_name,
            "funnel": steps,
            "functional_test": compare_passing({grouping[at]: tested[grouping[at]] for at in used}, subjects, settings),
            **summarise(pd.concat([measured[grouping[at]] for at in used], ignore_index=True), settings),
            "provenance": provenance(
                "summary-degeneracy",
                vars(settings),
                [*common, *(components[at] for at in used), *(records[at] for at in used)],
            ),
        }
        write_json(output[place], content)
        print(f"{model_name}, {name}: {steps['degenerate']} of {steps['known']} known facts are degenerate")
    write_json(
        comparison,
        {
            "model": model_name,
            "groupings": list(grouping),
            "functional_test": compare_passing(tested, subjects, settings),
            "degeneracy": compare_gaps(measured, settings),
            "provenance": provenance("summary-degeneracy", vars(settings), [*common, *components, *records]),
        },
    )
