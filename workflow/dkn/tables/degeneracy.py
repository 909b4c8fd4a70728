"""Table ``degeneracy``: drops in Prob by grouping, and their excess over those of the control."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import BEFORE_TEST, GROUP_WORDS, NTC, OTHER_FACTS, SELECTIONS, TESTED_CONTROLS
from dkn.summaries.stored import compared_by_model
from dkn.tables.lines import Line, Summaries, difference, write

TITLE = (
    "Degeneracy: drop in Prob when some (partial) or all (full) of a fact's components are suppressed; beyond the "
    "control: full minus partial, minus the same for random groups of the same sizes; brought back: the share of Prob "
    "that one component alone brings back; NTC minus it: in full minus partial drop, in full drop for other facts' D, "
    "and in Prob brought back. A tested control counts a fact if any of its draws does"
)
ALONE = "all candidates, each alone"
OF_TEST = {"recovery": "brought back", "share_passing": "share that pass", "bdcs": "BDCs of a fact"}
NTC_MINUS_IT = "NTC minus it"


def _name(grouping: str) -> str:
    return GROUP_WORDS[grouping] if grouping in TESTED_CONTROLS else grouping


def _of_drops(selection: str, grouping: str) -> Iterator[Line]:
    """Yield the lines of a grouping's drops for one selection of components."""
    labels = {"components": SELECTIONS[selection], "grouping": _name(grouping)}
    about = {"selection": selection, "metric": "drop"}
    own = {**about, "grouping": grouping}
    for kind in ("partial", "full"):
        yield Line(labels, f"{kind} drop", f"degeneracy-{grouping}", "estimates", {**own, "kind": kind})
    for kind, measure in (("gap", "full minus partial"), ("gap_beyond_control", "beyond the control")):
        yield Line(labels, measure, "degeneracy", "estimates", {**own, "kind": kind})
    if grouping != NTC:
        where = {**about, "first": NTC, "second": grouping, "kind": "gap"}
        yield difference(labels, NTC_MINUS_IT, "degeneracy", where)


def _of_other_facts(experiment: str) -> Iterator[Line]:
    """Yield the lines of the full drop when as many neurons of other facts' degenerate neurons are suppressed."""
    for other in OTHER_FACTS:
        labels = {"components": SELECTIONS["bdc"], "grouping": GROUP_WORDS[other]}
        where = {"selection": "bdc", "metric": "drop", "kind": "full"}
        yield Line(labels, "full drop", experiment, "estimates", {**where, "grouping": other})
        yield difference(labels, NTC_MINUS_IT, experiment, {**where, "first": NTC, "second": other})


def _of_test(grouping: str) -> Iterator[Line]:
    """Yield the lines of what the functional test says of a grouping's candidates."""
    labels = {"components": ALONE, "grouping": BEFORE_TEST.get(grouping, grouping)}
    for measure, title in OF_TEST.items():
        where = {"grouping": grouping, "measure": measure}
        yield Line(labels, title, f"degeneracy-{grouping}", "estimates", where)
    if grouping in TESTED_CONTROLS:
        where = {"first": NTC, "second": grouping, "measure": "recovery"}
        yield difference(labels, NTC_MINUS_IT, f"degeneracy-{NTC}", where)


def lines(summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per selection and grouping, and one per grouping's test."""
    groupings = [summary["grouping"] for name, summary in summaries.items() if name.startswith("degeneracy-")]
    for selection in SELECTIONS:
        for grouping in groupings:
            yield from _of_drops(selection, grouping)
        if selection == "bdc":
            yield from _of_other_facts(f"degeneracy-{NTC}")
    for grouping in groupings:
        yield from _of_test(grouping)


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, compared_by_model(model, experiment), confidence, output)
