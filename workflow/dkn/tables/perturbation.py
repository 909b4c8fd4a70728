"""The lines that the tables ``suppression`` and ``enhancement`` have in common: a row per query and neuron set."""

from collections.abc import Callable, Iterator

from dkn.study.names import DKN, KN, KN_MATCHED, ORIGINAL, PERTURBATIONS, PERTURBED, RANDOM, SITES, WORDS
from dkn.tables.lines import Line, Summaries, difference


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
        queries = {
            ORIGINAL: "original",
            **{name: f"word: {name}" for name in PERTURBATIONS},
            PERTURBED: "perturbed, mean",
        }
        for query, title in queries.items():
            for name in (DKN, KN, KN_MATCHED, RANDOM):
                labels = {"query": title, "neurons": WORDS[name]}
                for kind in SITES:
                    where = {"query": query, "neuron_set": name, "metric": estimate}
                    yield Line(labels, f"{words[0]}, {kind}", f"{setting}-{kind}", "estimates", where)
                for kind in SITES:
                    where = {"query": query, "first": DKN, "second": name, "metric": contrast}
                    yield difference(labels, f"{words[1]}, {kind}", f"{setting}-{kind}", where)

    return lines
