"""The lines that the tables ``suppression`` and ``enhancement`` have in common: a row per query and neuron set."""

from collections.abc import Callable, Iterator

from dkn.study.names import (
    CHANGING,
    DEGENERATE,
    DKN,
    FULL_WORDS,
    OF_CLASS,
    ORIGINAL,
    PERTURBATIONS,
    PERTURBED,
    POPULATIONS,
    PRESERVING,
    SITES,
    WITH_DKN,
    WORDS,
)
from dkn.tables.lines import Line, Summaries, difference

# The words for queries. The two classes of perturbed queries have rows only where a study asks both.
MEANS = {
    PERTURBED: "perturbed, mean",
    OF_CLASS[PRESERVING]: "perturbed, question kept",
    OF_CLASS[CHANGING]: "perturbed, subject or date changed",
}
ALL_QUERIES = {ORIGINAL: "original", **{name: f"word: {name}" for name in PERTURBATIONS}, **MEANS}
SHOWN = {WITH_DKN: ALL_QUERIES, DEGENERATE: {ORIGINAL: "original", **MEANS}}


def perturbed_lines(
    setting: str, estimate: str, contrast: str, words: tuple[str, str]
) -> Callable[[Summaries], Iterator[Line]]:
    """Return the function that yields the lines of a setting's table.

    Args:
        setting: ``suppression`` or ``enhancement``.
        estimate: the metric of the estimates.
        contrast: the metric of the differences between D and the other sets.
        words: the names of the columns of the estimates and of the differences.
    """

    def lines(_summaries: Summaries) -> Iterator[Line]:
        shown = ((population, query) for population, queries in SHOWN.items() for query in queries)
        for population, query in shown:
            about = {"population": population, "query": query}
            for name in FULL_WORDS:
                labels = {"population": POPULATIONS[population], "query": ALL_QUERIES[query], "neurons": WORDS[name]}
                for kind in SITES:
                    where = {**about, "neuron_set": name, "metric": estimate}
                    yield Line(labels, f"{words[0]}, {kind}", f"{setting}-{kind}", "estimates", where)
                for kind in SITES:
                    where = {**about, "first": DKN, "second": name, "metric": contrast}
                    yield difference(labels, f"{words[1]}, {kind}", f"{setting}-{kind}", where)

    return lines
