"""Table verdicts: every contrast that a claim rests on."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.storage.files import read_json
from dkn.summaries.wording import contrast
from dkn.tables.saving import save

HEADER = ("claim", "model", "verdict of the claim", "contrast", "p (Holm)", "says")


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: flags.Output) -> None:
    """Write the CSV, a row per claim, model and contrast, and beside it the same in words in Markdown and LaTeX."""
    rows, lines = [], []
    for row in read_json(verdicts)["verdicts"]:
        about = {"claim": row["claim"], "model": row["model"] or "all models", "claim_verdict": row["verdict"]}
        for part in row["evidence"] if row["model"] else ():
            rows.append({**about, **part})
            run = part.get("difference") is not None
            p = None if part.get("p_holm") is None else f"{part['p_holm']:.2g}"
            lines.append([*about.values(), contrast(part) if run else part["experiment"], p, part["verdict"]])
    words = pd.DataFrame(lines, columns=HEADER, dtype=object).set_index(list(HEADER[:4]))
    caption = "The contrasts behind every verdict; p is adjusted over all evidence of a model (Holm)."
    save(pd.DataFrame(rows), words, caption, output)
