"""The verdicts on the paper's claims, by one rule for both sides (docs/method.md).

The contrasts of one reading in one model are a family. Each gets an interval that holds together with the others', and
its outcome is where this interval lies; the verdict on a claim follows from the outcomes of all its contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dkn.paper.claims import CLAIMS, READINGS, Claim, Evidence
from dkn.statistics.simultaneous import Interval, Measured, simultaneous_intervals
from dkn.study.names import NONE
from dkn.summaries.stored import only_match
from dkn.summaries.wording import missing

SUPPORTED, CONTRADICTED, EQUIVALENT, INCONCLUSIVE = "supported", "contradicted", "equivalent", "inconclusive"
TOO_FEW, NOT_RUN = "too few facts", "not run"
OUTCOMES = (SUPPORTED, CONTRADICTED, EQUIVALENT, INCONCLUSIVE, TOO_FEW, NOT_RUN)


@dataclass(frozen=True)
class Thresholds:
    """What decides on claims, stated before the run.

    Attributes:
        alpha: the probability that anything said of one reading in one model is wrong.
        margins: for each metric how small a difference counts as none.
        minimum_subjects: over fewer subjects a contrast is not judged.
    """

    alpha: float
    margins: Mapping[str, float]
    minimum_subjects: int

    def margin(self, evidence: Evidence) -> float:
        """Return the margin of a contrast's metric.

        Raises:
            KeyError: no margin is stated for it.
        """
        return self.margins[evidence.where["metric"]]


def lies(low: float, high: float, value: float, margin: float) -> str:
    """Return the outcome that an interval of a difference says.

    Args:
        low, high: the bounds of the interval.
        value: the value that the difference must exceed: zero, or minus the margin where reaching is enough.
        margin: how small a difference counts as none.
    """
    if low > value:
        return SUPPORTED
    if high < value:
        return CONTRADICTED
    return EQUIVALENT if -margin < low and high < margin else INCONCLUSIVE


def together(outcomes: Sequence[str]) -> str:
    """Return the verdict on a claim that needs several contrasts.

    One contradicted contrast contradicts the claim, and one that is equivalent takes the "more" from it, whatever the
    others say; a contrast that was not judged, or stays open, leaves it open.
    """
    return next(
        verdict
        for verdict in (CONTRADICTED, EQUIVALENT, NOT_RUN, TOO_FEW, INCONCLUSIVE, SUPPORTED)
        if verdict in outcomes
    )


def _judged(row: Mapping[str, Any] | None, minimum_subjects: int) -> bool:
    """Tell whether a contrast has what a judgement needs."""
    return row is not None and row["subjects"] >= minimum_subjects and not missing(row["se"])


def _sets(summary: Mapping[str, Any]) -> set[str]:
    """Return the neuron sets that a summary has estimates of; none where its estimates are of something else."""
    return {row["neuron_set"] for row in summary.get("estimates", ()) if "neuron_set" in row}


def _without_interval(
    evidence: Evidence, summary: Mapping[str, Any], row: Mapping[str, Any] | None, minimum_subjects: int
) -> tuple[str, str]:
    """Return the outcome of a contrast that was not judged, and why, in words that can follow it in brackets.

    Too few facts are also what ends fine-tuning before it begins. Not run is what the study has not, or compares with
    nothing.
    """
    subjects = row["subjects"] if row is not None else 0
    if row is not None and subjects >= minimum_subjects:
        return TOO_FEW, "no standard error"
    if row is None and not summary:
        return NOT_RUN, "not in this study"
    if row is None and summary.get("not_run"):
        counts = "minimum" in summary
        return (
            (TOO_FEW, f"{summary['new_facts']} of {summary['minimum']} new facts") if counts else (NOT_RUN, "no seed")
        )
    if row is None and _sets(summary) == {evidence.where.get("first"), NONE}:
        return NOT_RUN, "nothing is compared"
    return TOO_FEW, f"{subjects} of {minimum_subjects} subjects"


def _stated(
    evidence: Evidence, row: Mapping[str, Any] | None, interval: Interval | None, outcome: str, margin: float
) -> dict[str, Any]:
    """Return what is stored of one contrast; ``low`` and ``high`` are the simultaneous interval's bounds."""
    content = {"experiment": evidence.experiment, **evidence.where, "reached_is_enough": evidence.reached}
    if row is not None:
        numbers = {name: row[name] for name in ("difference", "se", "df", "p", "facts", "subjects")}
        content |= {**numbers, "single_low": row["low"], "single_high": row["high"], "low": None, "high": None}
    if interval is not None:
        content |= {"low": interval.low, "high": interval.high, "level": interval.level, "p_adjusted": interval.p}
    return {**content, "margin": margin, "outcome": outcome}


def _of_reading(
    claims: Sequence[Claim], reading: str, summaries: Mapping[str, Mapping[str, Any]], thresholds: Thresholds
) -> list[dict[str, Any]]:
    """Return the verdicts of one reading, whose contrasts are one family."""
    pieces = {(claim.name, number): piece for claim in claims for number, piece in enumerate(claim.evidence(reading))}
    of_piece = {key: summaries.get(piece.experiment, {}) for key, piece in pieces.items()}
    rows = {key: only_match(of_piece[key].get("contrasts", []), piece.where) for key, piece in pieces.items()}
    values = {key: -thresholds.margin(piece) if piece.reached else 0.0 for key, piece in pieces.items()}
    intervals = simultaneous_intervals(
        {
            key: Measured(row["difference"], row["se"], row["df"], values[key])
            for key, row in rows.items()
            if row is not None and _judged(row, thresholds.minimum_subjects)
        },
        thresholds.alpha,
    )
    stated: dict[str, list[dict[str, Any]]] = {}
    for key, piece in pieces.items():
        margin, interval = thresholds.margin(piece), intervals.get(key)
        if interval is not None:
            outcome, why = lies(interval.low, interval.high, values[key], margin), None
        else:
            outcome, why = _without_interval(piece, of_piece[key], rows[key], thresholds.minimum_subjects)
        of_contrast = _stated(piece, rows[key], interval, outcome, margin)
        stated.setdefault(key[0], []).append({**of_contrast, **({"why": why} if why else {})})
    return [_of_claim(claim, reading, stated[claim.name]) for claim in claims if claim.name in stated]


def _of_claim(claim: Claim, reading: str, evidence: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the verdict on a claim; ``why`` is the reason of the first contrast that was not judged and decides it."""
    verdict = together([piece["outcome"] for piece in evidence])
    why = next(piece.get("why") for piece in evidence if piece["outcome"] == verdict)
    return {
        "claim": claim.name,
        "reading": reading,
        "text": claim.text,
        "compares": claim.readings[reading],
        "verdict": verdict,
        **({"why": why} if why else {}),
        "evidence": list(evidence),
    }


def verdicts(summaries: Mapping[str, Mapping[str, Any]], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the verdicts on every claim for one model, the primary reading of a claim before the literal one.

    Args:
        summaries: the model's summaries by experiment; ``degeneracy`` is the comparison of all groupings. A summary
            that is missing counts as not run.
        thresholds: the thresholds that were stated before the run.
    Returns:
        For each claim and reading its name, text, what it compares, verdict and evidence: each contrast with its
        simultaneous interval, its numbers of facts and subjects, and its outcome. What was not judged has ``why``.
    Raises:
        ValueError: several rows of a summary match one contrast.
    """
    rows = [row for reading in READINGS for row in _of_reading(CLAIMS, reading, summaries, thresholds)]
    return sorted(rows, key=lambda row: row["claim"])
