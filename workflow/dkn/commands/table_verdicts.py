"""Table verdicts: every contrast that a claim rests on."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.captions import contrast
from dkn.commands._flags import OutputFlag
from dkn.io import atomic_file, read_json

HEADER = ("claim", "model", "verdict of the claim", "contrast", "p (Holm)", "says")


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: OutputFlag) -> None:
    """Write the CSV, a row per claim, model and contrast, and beside it the same in words in Markdown."""
    rows, lines = [], []
    for row in read_json(verdicts)["verdicts"]:
        about = {"claim": row["claim"], "model": row["model"] or "all models", "claim_verdict": row["verdict"]}
        for part in row["evidence"] if row["model"] else ():
            rows.append({**about, **part})
            run = part.get("difference") is not None
            p = "" if part.get("p_holm") is None else f"{part['p_holm']:.2g}"
            lines.append([*about.values(), contrast(part) if run else part["experiment"], p, part["verdict"]])
    with atomic_file(output) as path:
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
    with atomic_file(output.with_suffix(".md")) as path:
        path.write_text("".join(f"| {' | '.join(line)} |\n" for line in (HEADER, ["---"] * len(HEADER), *lines)))
