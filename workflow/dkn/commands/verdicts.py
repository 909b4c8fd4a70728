"""Verdicts on the paper's claims, from stored summaries."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.claims import CLAIMS, Thresholds, verdicts
from dkn.commands._flags import ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries, summary_files
from dkn.complexity import NAME, TEXT
from dkn.io import read_json, write_json
from dkn.provenance import provenance


def main(
    model: FoldersFlag,
    experiment: ExperimentsFlag,
    complexity: Annotated[Path, Option(help="complexity.json")],
    output: OutputFlag,
    alpha: Annotated[float, Option(help="Level of the permutation tests, after Holm's adjustment.")],
    margin: Annotated[float, Option(help="How much lower is still no lower.")],
    minimum_subjects: Annotated[int, Option(help="Contrasts over fewer subjects count as not run.")],
) -> None:
    """Judge every claim for every model, and the one about model size for the study."""
    thresholds = Thresholds(alpha, margin, minimum_subjects)
    rows = [
        {"model": folder.name, **row}
        for folder in model
        for row in verdicts(read_summaries(folder, experiment), thresholds)
    ]
    growth = read_json(complexity)
    rows.append(
        {
            "model": None,
            "claim": NAME,
            "text": TEXT,
            "verdict": growth["grows"].get("degeneracy", "not run"),
            "note": growth["note"],
            "evidence": [row for row in growth["rows"] if row["metric"] == "degeneracy"],
        }
    )
    record = provenance("verdicts", vars(thresholds), [*summary_files(model, experiment), complexity])
    write_json(output, {"thresholds": vars(thresholds), "verdicts": rows, "provenance": record})
    for row in rows:
        print(f"{row['claim']} {row['model'] or 'all models'}: {row['verdict']}")
    print(f"{len(CLAIMS) + 1} claims, {len(model)} models: {output}")
