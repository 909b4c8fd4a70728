"""The paper's conclusions as tests on stored summaries (docs/method.md).

A claim names the contrasts it needs. Each contrast holds, fails or stays open against thresholds that the
configuration states before the run; the claim is what its contrasts are together.
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
        experiment: whose summary has it.
        where: the values that pick its row; ``first`` minus ``second`` must be positive.
        equal: whether it is enough that the difference is no lower than the configured margin.
    """

    experiment: str
    where: Mapping[str, str]
    equal: bool = False


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper; every piece of its evidence must hold."""

    name: str
    text: str
    evidence: tuple[Evidence, ...] = field(default=())


@dataclass(frozen=True)
class Thresholds:
    """When a claim counts as supported.

    Attributes:
        alpha: level of the permutation tests after Holm's adjustment over all evidence of a model.
        margin: how much lower a difference may be that only has to be no lower.
        minimum_subjects: contrasts over fewer subjects count as not run.
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
    """The contrast's row; None where the experiment has not been run or gave no such contrast."""
    return only_match(summaries.get(evidence.experiment, {}).get("contrasts", []), evidence.where)


def _judge(row: Mapping[str, Any] | None, p: float, evidence: Evidence, thresholds: Thresholds) -> str:
    """What one contrast says. Without an interval (too few subjects) it says nothing."""
    if row is None or row["subjects"] < thresholds.minimum_subjects or row["low"] is None or row["low"] != row["low"]:
        return NOT_RUN
    needed = -thresholds.margin if evidence.equal else 0.0
    if row["low"] > needed and (evidence.equal or p < thresholds.alpha):
        return SUPPORTED
    return NOT_SUPPORTED if row["high"] < needed else INCONCLUSIVE


def _together(parts: Sequence[str]) -> str:
    """A claim needs all its contrasts: one that fails fails it, one that is open leaves it open."""
    for verdict in (NOT_SUPPORTED, NOT_RUN, INCONCLUSIVE):
        if verdict in parts:
            return verdict
    return SUPPORTED


def verdicts(summaries: Mapping[str, Mapping[str, Any]], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Every claim's verdict for one model.

    Args:
        summaries: by experiment; ``degeneracy`` compares groupings. What is missing counts as not run.
        thresholds: stated before the run.
    Returns:
        Per claim its name, text, verdict, and its evidence: the contrast, its interval, p adjusted over all evidence
        of the model (Holm), number of facts and subjects, and what it says alone.
    """
    rows = {f"{claim.name}/{i}": _row(summaries, e) for claim in CLAIMS for i, e in enumerate(claim.evidence)}
    found_rows = {key: row for key, row in rows.items() if row is not None}
    adjusted = holm({key: float("nan") if row["p"] is None else row["p"] for key, row in found_rows.items()})
    found = []
    for claim in CLAIMS:
        evidence = []
        for number, part in enumerate(claim.evidence):
            key = f"{claim.name}/{number}"
            row, p = rows[key], adjusted.get(key, float("nan"))
            numbers = (
                {name: row[name] for name in ("difference", "low", "high", "p", "facts", "subjects")} if row else {}
            )
            evidence.append(
                {
                    "experiment": part.experiment,
                    **part.where,
                    "no_lower_is_enough": part.equal,
                    **numbers,
                    **({"p_holm": p} if row else {}),
                    "verdict": _judge(row, p, part, thresholds),
                }
            )
        verdict = _together([part["verdict"] for part in evidence])
        found.append({"claim": claim.name, "text": claim.text, "verdict": verdict, "evidence": evidence})
    return found
