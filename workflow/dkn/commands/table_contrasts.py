"""Table contrasts: every contrast of the study, adjusted over its setting."""

import pandas as pd

from dkn.commands._flags import ConfidenceFlag, ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries
from dkn.commands._tables import save
from dkn.contrasts import of_model
from dkn.paper_tables import wide_contrasts


def main(
    model: FoldersFlag,
    experiment: ExperimentsFlag,
    confidence: ConfidenceFlag,
    output: OutputFlag,
) -> None:
    """Write the CSV, a row per contrast, and beside it the same in words in Markdown and LaTeX."""
    parts = [of_model(folder.name, read_summaries(folder, experiment)) for folder in model]
    table = pd.concat(parts, ignore_index=True)
    caption = (
        f"All contrasts: mean differences over n facts, {100 * confidence:g} % bootstrap over subjects, p of sign "
        "flips (fact-checking: swaps) over subjects; p_holm is adjusted over the setting's contrasts in the model."
    )
    save(table, wide_contrasts(table), caption, output)
    print(f"{len(table)} contrasts, {int((table['p_holm'] < 0.05).sum())} of them with an adjusted p below 0.05")
