"""Table ``degeneracy``: drops in Prob by grouping, and their excess over those of the control."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import GROUP_WORDS, SELECTIONS, TESTED_CONTROL
from dkn.summaries.stored import compared_by_model
from dkn.tables.lines import Line, Summaries, write

TITLE = (
    "Degeneracy: drop in Prob when some (partial) or all (full) of a fact's components are suppressed; beyond the "
    "control: full minus partial, minus the same for random groups of the same sizes"
)


def lines(summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per selection and grouping."""
    groupings = [summary["grouping"] for name, summary in summaries.items() if name.startswith("degeneracy-")]
    for selection, title in SELECTIONS.items():
        for grouping in groupings:
            name = GROUP_WORDS[grouping] if grouping == TESTED_CONTROL else grouping
            labels = {"components": title, "grouping": name}
            about = {"selection": selection, "grouping": grouping, "metric": "drop"}
            for kind in ("partial", "full"):
                yield Line(labels, f"{kind} drop", f"degeneracy-{grouping}", "estimates", {**about, "kind": kind})
            for kind, measure in (("gap", "full minus partial"), ("gap_beyond_control", "beyond the control")):
                yield Line(labels, measure, "degeneracy", "estimates", {**about, "kind": kind})


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, compared_by_model(model, experiment), confidence, output)
