"""Summaries of the degeneracy experiment, one per grouping, and the comparison of NTC with all other groupings."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.files import read_table
from dkn.storage.schemas import COMPONENTS, DEGENERACY, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN
from dkn.study.names import NTC, TESTED_CONTROL
from dkn.summaries.degeneracy import summarise
from dkn.summaries.funnel import funnel
from dkn.summaries.grouping_comparison import compare_gaps, compare_passing
from dkn.summaries.stored import write_summary


def main(
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    distances: flags.Distances,
    grouping: Annotated[list[str], Option(help="Name of a grouping; repeatable.")],
    components: Annotated[list[Path], Option(help="Tested components of each grouping, in the same order.")],
    records: Annotated[list[Path], Option(help="Records of each grouping, in the same order.")],
    model_name: flags.ModelName,
    output: flags.Outputs,
    comparison: Annotated[Path, Option(help="comparison.json, of all groupings.")],
    statistics: flags.Statistics,
) -> None:
    """Summarise one model's records; NTC's summary sets the tested control beside it."""
    flags.one_output_each(output, grouping=grouping, components=components, records=records)
    settings = StatisticsSettings(**vars(statistics))
    subjects = read_table(facts, FACTS).set_index("fact_id")["subject"]
    shared = (read_table(known, KNOWN), read_table(neurons, KNOWLEDGE_NEURONS), read_table(distances, DISTANCES))
    tested = {name: read_table(path, COMPONENTS) for name, path in zip(grouping, components, strict=True)}
    measured = {name: read_table(path, DEGENERACY) for name, path in zip(grouping, records, strict=True)}
    common = [facts, known, neurons, distances]

    for place, name in enumerate(grouping):
        beside = [TESTED_CONTROL] if name == NTC and TESTED_CONTROL in grouping else []
        used = [grouping.index(part) for part in (name, *beside)]
        steps = funnel(*shared, tested[name])
        content = {
            "experiment": f"degeneracy-{name}",
            "grouping": name,
            "model": model_name,
            "funnel": steps,
            "functional_test": compare_passing({grouping[at]: tested[grouping[at]] for at in used}, subjects, settings),
            **summarise(pd.concat([measured[grouping[at]] for at in used], ignore_index=True), settings),
        }
        inputs = [*common, *(components[at] for at in used), *(records[at] for at in used)]
        write_summary(output[place], content, "summary-degeneracy", settings, inputs)
        print(f"{model_name}, {name}: {steps['degenerate']} of {steps['known']} known facts are degenerate")
    content = {
        "model": model_name,
        "groupings": list(grouping),
        "functional_test": compare_passing(tested, subjects, settings),
        "degeneracy": compare_gaps(measured, settings),
    }
    write_summary(comparison, content, "summary-degeneracy", settings, [*common, *components, *records])
