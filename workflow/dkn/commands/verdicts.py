"""Judge the paper's claims by the stored summaries."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.paper.claims import CLAIMS, Thresholds, verdicts
from dkn.paper.model_size import NAME, TEXT
from dkn.storage.files import read_json, write_json
from dkn.storage.provenance import provenance
from dkn.summaries.stored import compared_by_model, summary_files


def main(
    model: flags.Folders,
    experiment: flags.Experiments,
    complexity: Annotated[Path, Option(help="complexity.json")],
    output: flags.Output,
    alpha: Annotated[float, Option(help="Level of the permutation tests, after Holm's adjustment.")],
    margin: Annotated[float, Option(help="How far below zero a difference may lie where two sides must be equal.")],
    minimum_subjects: Annotated[int, Option(help="Contrasts over fewer subjects count as not run.")],
) -> None:
    """Judge every claim for every model, and the claim about model size for the whole study."""
    thresholds = Thresholds(alpha, margin, minimum_subjects)
    rows = [
        {"model": name, **row}
        for name, summaries in compared_by_model(model, experiment).items()
        for row in verdicts(summaries, thresholds)
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
    print(f"{len(CLAIMS) + 1} claims were judged for {len(model)} models: {output}")
