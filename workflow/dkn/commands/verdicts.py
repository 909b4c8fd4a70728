"""Judge the paper's claims by the stored summaries."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.paper import growth
from dkn.paper.verdicts import Thresholds, verdicts
from dkn.storage.files import read_json, write_json
from dkn.storage.provenance import provenance
from dkn.summaries.seeds import over_seeds
from dkn.summaries.stored import compared_by_model, summary_files


def main(
    model: flags.Folders,
    experiment: flags.Experiments,
    complexity: Annotated[Path, Option(help="complexity.json")],
    output: flags.Output,
    alpha: Annotated[float, Option(help="The probability that anything said of a model in one reading is wrong.")],
    margin: Annotated[list[str], Option(help="METRIC=NUMBER: how small a difference counts as none. Repeatable.")],
    minimum_subjects: Annotated[int, Option(help="Contrasts over fewer subjects are not judged.")],
    seeds: flags.Seeds = None,
) -> None:
    """Judge every claim for every model and over seeds, and the claim about model size for the whole study."""
    margins = {name: float(value) for name, value in (text.split("=") for text in margin)}
    thresholds = Thresholds(alpha, margins, minimum_subjects)
    together, combined = over_seeds(seeds)
    rows = [
        {"model": name, "combined_in": together.get(name), **row}
        for name, summaries in {**compared_by_model(model, experiment), **combined}.items()
        for row in verdicts(summaries, thresholds)
    ]
    sizes = read_json(complexity)
    rows += growth.verdicts(sizes["rows"], sizes["note"], thresholds)
    inputs = [*summary_files(model, experiment), complexity, *([seeds] if seeds else [])]
    record = provenance("verdicts", vars(thresholds), inputs)
    write_json(output, {"thresholds": vars(thresholds), "verdicts": rows, "provenance": record})
    for row in rows:
        print(
            f"{row['claim']} {row['model'] or 'all models'}, {row['reading']}: {row['verdict']}"
            + (f" ({row['why']})" if row.get("why") else "")
        )
    print(f"{len(rows)} verdicts on {len({row['claim'] for row in rows})} claims in {len(model)} models: {output}")
