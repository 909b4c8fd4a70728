"""Figure fact_checking: F1 and the other metrics of every detector, and ROC curves."""

import pandas as pd

from dkn.commands._figures import save
from dkn.commands._flags import FoldersFlag, PdfFlag
from dkn.experiments.registry import of_setting
from dkn.figures.fact_checking import draw, table
from dkn.figures.style import intervals_of
from dkn.headlines import of_experiments
from dkn.io import read_json, read_table
from dkn.tables import FACT_CHECKING


def main(model: FoldersFlag, output: PdfFlag) -> None:
    """Draw from stored summaries and records."""
    summaries, records = [], {}
    for folder in model:
        experiments = [folder / "experiments" / name for name in of_setting("fact-checking")]
        summaries += [read_json(path / "summary.json") for path in experiments]
        parts = [read_table(path / "records.parquet", FACT_CHECKING) for path in experiments]
        records[summaries[-1]["model"]] = pd.concat(parts, ignore_index=True)
    frame = table(summaries, records)
    save(draw(frame, list(records), intervals_of(summaries)), frame, output, of_experiments(summaries))
