"""The paper's conclusions as tests on stored summaries (docs/method.md).

A claim names the contrasts that it needs, which are its evidence. Each contrast holds, fails or stays open against
thresholds that the configuration states before the run, and the verdict on the claim follows from all its contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dkn.statistics.inference import holm
from dkn.study.names import SITES
from dkn.study.registry import GROUPINGS
from dkn.summaries.stored import only_match

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE, NOT_RUN = "supported", "not supported", "inconclusive", "not run"


@dataclass(frozen=True)
class Evidence:
    """One contrast that a claim needs.

    Attributes:
        experiment: the experiment whose summary holds the contrast.
        where: the values that pick the contrast's row; ``first`` minus ``second`` must be positive.
        equal: whether it is enough that the interval of the difference lies above minus the configured margin.
    """

    experiment: str
    where: Mapping[str, str]
    equal: bool = False


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper.

    Attributes:
        name: C1 to C7.
        text: the conclusion.
        evidence: the contrasts that must all hold.
    """

    name: str
    text: str
    evidence: tuple[Evidence, ...] = field(default=())


@dataclass(frozen=True)
class Thresholds:
    """The thresholds at which a claim counts as supported.

    Attributes:
        alpha: the level of the permutation tests, after Holm's adjustment over all evidence of a model.
        margin: how far below zero a difference may lie where two sides only have to be equal.
        minimum_subjects: contrasts over fewer subjects than this count as not run.
    """

    alpha: float
    margin: float
    minimum_subjects: int


def _degeneracy(second: str, experiment: str = "degeneracy-ntc") -> Evidence:
    where = {"selection": "bdc", "first": "ntc", "second": second, "metric": "drop", "kind": "gap"}
    return Evidence(experiment, where)


def _perturbed(setting: str, kind: str, second: str, metric: str) -> Evidence:
    return Evidence(f"{setting}-{kind}", {"first": "dkn", "second": second, "query": "perturbed", "metric": metric})


def _checking(first: str, second: str) -> Evidence:
    where = {"first": first, "second": second, "neurons": "relation", "wording": "triple", "metric": "f1"}
    return Evidence(f"fact-checking-{first}", where)


def _tuning(second: str, split: str, equal: bool = False) -> Evidence:
    where = {"first": "dkn", "second": second, "split": split, "metric": "accuracy"}
    return Evidence("fine-tuning-dkn", where, equal)


CLAIMS = (
    Claim(
        "C1",
        "Suppressing some BDCs costs less than suppressing all, beyond what random groups of the same KNs show: groups "
        "of the same sizes, and groups that passed the same functional test",
        (_degeneracy("random-partition"), _degeneracy("random")),
    ),
    Claim(
        "C2",
        "NTC's gap between full and partial suppression exceeds every other grouping's",
        tuple(_degeneracy(other, "degeneracy") for other in GROUPINGS if other != "ntc"),
    ),
    Claim(
        "C3",
        "Suppressing D hurts perturbed queries more than suppressing N or random neurons",
        tuple(_perturbed("suppression", kind, second, "drop") for kind in SITES for second in ("kn", "random")),
    ),
    Claim(
        "C4",
        "Enhancing D rescues perturbed queries more than enhancing N or random neurons",
        tuple(_perturbed("enhancement", kind, second, "accuracy") for kind in SITES for second in ("kn", "random")),
    ),
    Claim(
        "C5",
        "D tells true statements from false ones better than N, and N better than the model's own judgement",
        (_checking("dkn", "kn"), _checking("kn", "plm")),
    ),
    Claim(
        "C6",
        "The neurons that full fine-tuning changes most are D rather than N or random neurons",
        tuple(
            Evidence("overlap-fine-tuning", {"first": "dkn", "second": second, "part": "both", "metric": "share"})
            for second in ("kn", "random", "random-matched")
        ),
    ),
    Claim(
        "C7",
        "Training D alone reaches full fine-tuning on new facts, keeps more old ones, and does better on paraphrases "
        "than N and random neurons",
        (
            _tuning("all", "new", equal=True),
            _tuning("all", "old"),
            *(_tuning(second, "augmented") for second in ("kn", "random")),
        ),
    ),
)


def _row(summaries: Mapping[str, Mapping[str, Any]], evidence: Evidence) -> Mapping[str, Any] | None:
    """Return the contrast's row, or None where the experiment has not been run or gave no such contrast."""
    return only_match(summaries.get(evidence.experiment, {}).get("contrasts", []), evidence.where)


def _judge(row: Mapping[str, Any] | None, p: float, evidence: Evidence, thresholds: Thresholds) -> str:
    """Return what one contrast says; without an interval, for too few subjects, it counts as not run."""
    if row is None or row["subjects"] < thresholds.minimum_subjects or row["low"] is None or row["low"] != row["low"]:
        return NOT_RUN
    needed = -thresholds.margin if evidence.equal else 0.0
    if row["low"] > needed and (evidence.equal or p < thresholds.alpha):
        return SUPPORTED
    return NOT_SUPPORTED if row["high"] < needed else INCONCLUSIVE


def _together(judgements: Sequence[str]) -> str:
    """Return the verdict on a claim: it fails if one of its contrasts fails, and is open if one of them is open."""
    for verdict in (NOT_SUPPORTED, NOT_RUN, INCONCLUSIVE):
        if verdict in judgements:
            return verdict
    return SUPPORTED


def verdicts(summaries: Mapping[str, Mapping[str, Any]], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the verdict on every claim for one model.

    Args:
        summaries: the model's summaries by experiment; ``degeneracy`` is the comparison of all groupings. A summary
            that is missing counts as not run.
        thresholds: the thresholds that were stated before the run.
    Returns:
        For each claim its name, text, verdict and evidence: each contrast with its interval, its p after Holm's
        adjustment over all evidence of the model, its numbers of facts and subjects, and what it says alone.
    Raises:
        ValueError: several rows of a summary match one contrast.
    """
    rows = {
        f"{claim.name}/{number}": _row(summaries, piece)
        for claim in CLAIMS
        for number, piece in enumerate(claim.evidence)
    }
    run = {key: row for key, row in rows.items() if row is not None}
    adjusted = holm({key: float("nan") if row["p"] is None else row["p"] for key, row in run.items()})
    judged = []
    for claim in CLAIMS:
        evidence = []
        for number, piece in enumerate(claim.evidence):
            key = f"{claim.name}/{number}"
            row, p = rows[key], adjusted.get(key, float("nan"))
            numbers = (
                {name: row[name] for name in ("difference", "low", "high", "p", "facts", "subjects")} if row else {}
            )
            evidence.append(
                {
                    "experiment": piece.experiment,
                    **piece.where,
                    "no_lower_is_enough": piece.equal,
                    **numbers,
                    **({"p_holm": p} if row else {}),
                    "verdict": _judge(row, p, piece, thresholds),
                }
            )
        verdict = _together([piece["verdict"] for piece in evidence])
        judged.append({"claim": claim.name, "text": claim.text, "verdict": verdict, "evidence": evidence})
    return judged
