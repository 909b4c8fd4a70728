"""Table ``sharing``: in how many other facts components' neurons are knowledge neurons, and what losing them costs."""

from collections.abc import Iterator

from dkn import flags
from dkn.study.names import ASKED_FACTS, BDC, KINDS_OF_FACTS, KN_MATCHED, RANDOM, SHARING_WORDS
from dkn.summaries.sharing import KINDS
from dkn.summaries.stored import stored_by_model
from dkn.tables.lines import Line, Summaries, difference, write

TITLE = (
    "Sharing: the share of other facts in which a neuron of a base degenerate component (BDC) is a knowledge neuron "
    "(KN), and the drop in Prob of facts when the BDC is suppressed"
)
SHARED, DROP = "share with a neuron", "drop"


def lines(_summaries: Summaries) -> Iterator[Line]:
    """Yield the lines of the table for one model: a row per kind of facts and group of neurons."""
    for others, title in {**KINDS_OF_FACTS, **ASKED_FACTS}.items():
        for name in (BDC, KN_MATCHED, RANDOM):
            labels = {"asked facts": title, "neurons": SHARING_WORDS[name]}
            for metric, measure in (("share", SHARED), ("drop", DROP), ("nats", "nats")):
                where = {"neuron_set": name, "others": others, "metric": metric}
                yield Line(labels, measure, "sharing", "estimates", where)
            for metric, measure in (("share", SHARED), ("drop", DROP)):
                where = {"first": BDC, "second": name, "others": others, "metric": metric}
                yield difference(labels, f"BDC minus it, {measure}", "sharing", where)
    for first, second in KINDS:
        labels = {
            "asked facts": f"{ASKED_FACTS[first]}, minus: {ASKED_FACTS[second]}",
            "neurons": SHARING_WORDS[BDC],
        }
        where = {"first": first, "second": second, "neuron_set": BDC}
        yield difference(labels, DROP, "sharing", {**where, "metric": "drop"})
        yield difference(labels, "nats", "sharing", {**where, "metric": "nats"})


def main(model: flags.Folders, experiment: flags.Experiments, confidence: flags.Confidence, output: flags.Csv) -> None:
    """Write the CSV with a row per number; beside it, Markdown and LaTeX have a row per model and condition."""
    write(TITLE, lines, stored_by_model(model, experiment), confidence, output)
