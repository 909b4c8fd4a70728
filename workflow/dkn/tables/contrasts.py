"""Table ``contrasts``: every contrast of the study, with p adjusted over its setting."""

from __future__ import annotations

import re

import pandas as pd

from dkn import flags
from dkn.paper.contrasts import of_model
from dkn.summaries.stored import compared_by_model
from dkn.summaries.wording import bracketed, missing
from dkn.tables.lines import IN_POINTS
from dkn.tables.saving import save


def main(
    model: flags.Folders,
    experiment: flags.Experiments,
    confidence: flags.Confidence,
    output: flags.Csv,
) -> None:
    """Write the CSV with a row per contrast, and the same table in Markdown and LaTeX beside it."""
    tables = [of_model(name, summaries) for name, summaries in compared_by_model(model, experiment).items()]
    table = pd.concat(tables, ignore_index=True)
    caption = (
        f"All contrasts: mean differences over n facts, {100 * confidence:g} % bootstrap over subjects, p of sign "
        "flips over subjects; of overlap and fine-tuning both are of a t distribution over subjects and draws; p of "
        "fact-checking's decisions is of a t-test. p_holm is adjusted over the setting's primary contrasts in the "
        f"model, and apart from them over its others. {IN_POINTS}."
    )
    save(table, wide_contrasts(table), caption, output)
    print(f"{len(table)} contrasts, {int((table['p_holm'] < 0.05).sum())} of them with an adjusted p below 0.05")


def _metric(of: str) -> str:
    """Return the metric that the words which pick a contrast name."""
    found = re.search(r"\b(?:metric|measure)=(\S+)", of)
    return found[1] if found else ""


def wide_contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the contrasts of a study in words, one per row.

    Args:
        table: the contrasts of one or more models, as ``of_model`` returns them.
    """
    words = table[["model", "setting", "experiment", "first", "second", "of"]].copy()
    words["first minus second"] = [
        None if missing(row.difference) else bracketed(row.difference, row.low, row.high, _metric(row.of))
        for row in table.itertuples(index=False)
    ]
    words["primary"] = ["yes" if primary else None for primary in table["primary"]]
    for name in ("p", "p_holm"):
        words[name] = [f"{p:.2g}" if p == p else None for p in table[name].astype(float)]
    words["n"] = table["facts"].astype(str)
    return words.set_index(list(words.columns[:6]))
