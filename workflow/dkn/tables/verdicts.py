"""Table ``verdicts``: every contrast that a claim of the paper needs, with what it says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn import flags
from dkn.storage.files import read_json
from dkn.summaries.wording import contrast
from dkn.tables.saving import save

HEADER = ("claim", "reading", "model", "verdict of the claim", "contrast", "p (Holm)", "says")


def _said(piece: Mapping[str, Any]) -> str:
    """Return a contrast's outcome in words; of one that was not judged also why."""
    return f"{piece['outcome']} ({piece['why']})" if piece.get("why") else str(piece["outcome"])


def main(verdicts: Annotated[Path, Option(help="verdicts.json")], output: flags.Csv) -> None:
    """Write the CSV with a row per claim, reading, model and contrast, and the same in Markdown and LaTeX beside it."""
    rows, lines = [], []
    for row in read_json(verdicts)["verdicts"]:
        about = {"claim": row["claim"], "reading": row["reading"], "model": row["model"] or "all models"}
        about["claim_verdict"] = row["verdict"]
        for piece in row["evidence"] if row["model"] else ():
            rows.append({**about, **piece})
            run = piece.get("difference") is not None
            p = None if piece.get("p_adjusted") is None else f"{piece['p_adjusted']:.2g}"
            lines.append([*about.values(), contrast(piece) if run else piece["experiment"], p, _said(piece)])
    words = pd.DataFrame(lines, columns=HEADER, dtype=object).set_index(list(HEADER[:5]))
    caption = (
        "The contrasts behind every verdict. Intervals hold together over all contrasts of a reading in a model, and p "
        "is adjusted over them (Holm)."
    )
    save(pd.DataFrame(rows), words, caption, output)
