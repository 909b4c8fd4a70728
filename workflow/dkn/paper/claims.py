"""The paper's conclusions, and the contrasts that each of them needs (docs/method.md).

Where the paper leaves open what is compared, a claim has two readings, which were fixed before any verdict was seen.
``primary`` compares like with like: gaps beyond each grouping's own control, as many neurons on either side, facts that
are degenerate, metrics that do not depend on how often a detector says yes. ``literal`` takes the paper's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dkn.study.names import SITES
from dkn.study.registry import GROUPINGS

PRIMARY, LITERAL = "primary", "literal"
READINGS = (PRIMARY, LITERAL)


@dataclass(frozen=True)
class Evidence:
    """One contrast that a claim needs.

    Attributes:
        experiment: the experiment whose summary holds the contrast.
        where: the values that pick the contrast's row; ``first`` minus ``second`` must be positive.
        reached: whether it is enough that the difference lies above minus the margin of its metric.
    """

    experiment: str
    where: Mapping[str, str]
    reached: bool = False


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper.

    Attributes:
        name: C1 to C7.
        text: the conclusion.
        primary: the contrasts that must all hold.
        literal: the contrasts of the literal reading; none where the paper leaves nothing open.
        readings: what each reading compares, in words.
    """

    name: str
    text: str
    primary: tuple[Evidence, ...]
    literal: tuple[Evidence, ...]
    readings: Mapping[str, str]

    def evidence(self, reading: str) -> tuple[Evidence, ...]:
        """Return the contrasts of a reading."""
        return self.primary if reading == PRIMARY else self.literal


def _degeneracy(second: str, experiment: str = "degeneracy-ntc", kind: str = "gap") -> Evidence:
    where = {"selection": "bdc", "first": "ntc", "second": second, "metric": "drop", "kind": kind}
    return Evidence(experiment, where)


def _other_groupings(kind: str) -> tuple[Evidence, ...]:
    return tuple(_degeneracy(other, "degeneracy", kind) for other in GROUPINGS if other != "ntc")


def _perturbed(setting: str, seconds: tuple[str, ...], population: str) -> tuple[Evidence, ...]:
    metric = "drop" if setting == "suppression" else "accuracy"
    where = {"first": "dkn", "query": "perturbed", "metric": metric, "population": population}
    return tuple(Evidence(f"{setting}-{site}", {**where, "second": second}) for site in SITES for second in seconds)


def _checking(first: str, second: str, metric: str) -> Evidence:
    where = {"first": first, "second": second, "neurons": "relation", "wording": "triple", "metric": metric}
    return Evidence(f"fact-checking-{first}", where)


def _tuning(second: str, split: str, reached: bool = False) -> Evidence:
    where = {"first": "dkn", "second": second, "split": split, "metric": "accuracy"}
    return Evidence("fine-tuning-dkn", where, reached)


_PERTURBED_READINGS = {
    PRIMARY: "against as many KNs and as many random neurons, on facts with two or more BDCs",
    LITERAL: "against all KNs, which contain D, and as many random neurons, on facts with a BDC",
}
CLAIMS = (
    Claim(
        "C1",
        "Suppressing some BDCs costs less than suppressing all, beyond what random groups of the same KNs show",
        (_degeneracy("random-partition"), _degeneracy("random"), _degeneracy("shuffled")),
        (),
        {
            PRIMARY: "against groups of the same sizes, groups that passed the same test, and NTC's own groups with "
            "exchanged members"
        },
    ),
    Claim(
        "C2",
        "NTC's gap between full and partial suppression exceeds that of the paper's other groupings",
        _other_groupings("gap_beyond_control"),
        _other_groupings("gap"),
        {PRIMARY: "each gap beyond that of random groups of the same sizes", LITERAL: "the gaps themselves"},
    ),
    Claim(
        "C3",
        "Suppressing D hurts perturbed queries more than suppressing N or random neurons",
        _perturbed("suppression", ("kn-matched", "random"), "degenerate"),
        _perturbed("suppression", ("kn", "random"), "all"),
        _PERTURBED_READINGS,
    ),
    Claim(
        "C4",
        "Enhancing D rescues perturbed queries more than enhancing N or random neurons",
        _perturbed("enhancement", ("kn-matched", "random"), "degenerate"),
        _perturbed("enhancement", ("kn", "random"), "all"),
        _PERTURBED_READINGS,
    ),
    Claim(
        "C5",
        "D tells true statements from false ones better than N, and N better than the model's own judgement",
        tuple(
            _checking(first, second, metric)
            for metric in ("balanced_accuracy", "auroc")
            for first, second in (("dkn", "kn"), ("kn", "plm"), ("dkn", "random"))
        ),
        (_checking("dkn", "kn", "f1"), _checking("kn", "plm", "f1")),
        {
            PRIMARY: "by balanced accuracy and AUROC, with random neurons as a rival of D",
            LITERAL: "by F1",
        },
    ),
    Claim(
        "C6",
        "The neurons that full fine-tuning changes most are D rather than N or random neurons",
        tuple(
            Evidence("overlap-fine-tuning", {"first": "dkn", "second": second, "part": "both", "metric": "share"})
            for second in ("kn", "random", "random-matched")
        ),
        (),
        {PRIMARY: "by the share of the set among as many most changed neurons"},
    ),
    Claim(
        "C7",
        "Training D alone reaches full fine-tuning on new facts, keeps more old ones, and does better on paraphrases "
        "than N and random neurons",
        (
            _tuning("all", "new", reached=True),
            _tuning("all", "old"),
            *(_tuning(second, "augmented") for second in ("kn", "random")),
        ),
        (),
        {PRIMARY: "by greedy accuracy"},
    ),
)
