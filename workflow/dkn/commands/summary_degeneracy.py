"""Summarise the degeneracy experiments, one per grouping, and compare NTC with all other groupings."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.experiments.degeneracy_measures import Averages
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.completeness import read_converged
from dkn.storage.files import read_table
from dkn.storage.parts import ReadOnDemand, read_distinct
from dkn.storage.schemas import COMPONENTS, DEGENERACY, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN
from dkn.study.names import NTC, TESTED_CONTROLS, of_first_draw
from dkn.study.protocol import applied
from dkn.summaries.degeneracy import summarise
from dkn.summaries.funnel import funnel
from dkn.summaries.grouping_comparison import compare_gaps, compare_tests
from dkn.summaries.stored import write_summary

# What a summary needs of the tables; lists of places would take most of the memory.
IDS = ["fact_id"]
OF_COMPONENTS = ["fact_id", "repeat", "kept", "recovery"]
OF_RECORDS = [name for name in DEGENERACY.names if name not in ("relation", "suppressed")]


def main(
    facts: flags.Facts,
    known: flags.Known,
    completeness: flags.Completeness,
    neurons: flags.Neurons,
    distances: flags.Distances,
    grouping: Annotated[list[str], Option(help="Name of a grouping; repeatable.")],
    components: Annotated[list[Path], Option(help="Tested components of each grouping, in the same order.")],
    records: Annotated[list[Path], Option(help="Records of each grouping, in the same order.")],
    model_name: flags.ModelName,
    output: flags.Outputs,
    comparison: Annotated[Path, Option(help="JSON file to write: the comparison of all groupings.")],
    statistics: flags.Statistics,
    released: flags.Released = None,
) -> None:
    """Summarise one model's records; the summary of NTC includes the tested controls."""
    flags.one_output_each(output, grouping=grouping, components=components, records=records)
    settings = StatisticsSettings(**vars(statistics))
    averages = applied("averages", Averages(), released)
    subjects = read_table(facts, FACTS, ["fact_id", "subject"]).set_index("fact_id")["subject"]
    found = (read_distinct(neurons, KNOWLEDGE_NEURONS, ["fact_id", "layer"]), read_distinct(distances, DISTANCES, IDS))
    shared = (read_table(known, KNOWN), read_converged(completeness), *found)
    component_files = dict(zip(grouping, components, strict=True))
    record_files = dict(zip(grouping, records, strict=True))
    tested = {name: read_table(path, COMPONENTS, OF_COMPONENTS) for name, path in component_files.items()}
    measured = ReadOnDemand(record_files, DEGENERACY, OF_RECORDS)
    common = [facts, known, *completeness, neurons, distances]

    for name, target in zip(grouping, output, strict=True):
        used = [name, *(control for control in TESTED_CONTROLS if control in grouping)] if name == NTC else [name]
        steps = funnel(*shared, tested[name])
        of_test = compare_tests({method: tested[method] for method in used}, subjects, settings)
        content = {
            "experiment": f"degeneracy-{name}",
            "grouping": name,
            "model": model_name,
            "funnel_of_first_draw" if name in TESTED_CONTROLS else "funnel": steps,
            "tested": of_test["counts"],
            **summarise(
                pd.concat([measured[method] for method in used], ignore_index=True), settings, of_test, averages
            ),
        }
        inputs = [*common, *(component_files[method] for method in used), *(record_files[method] for method in used)]
        write_summary(target, content, "summary-degeneracy", settings, inputs)
        print(
            f"{model_name}, {of_first_draw(name)}: {steps['degenerate']} of {steps['known']} known facts are degenerate"
        )
    content = {
        "model": model_name,
        "groupings": list(grouping),
        "functional_test": compare_tests(tested, subjects, settings),
        "degeneracy": compare_gaps(measured, settings, averages),
    }
    write_summary(comparison, content, "summary-degeneracy", settings, [*common, *components, *records])
