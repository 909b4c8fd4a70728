"""The paper's conclusion that degeneracy grows with model size, judged over all models of a study (docs/method.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from dkn.paper.claims import LITERAL, PRIMARY
from dkn.paper.model_size import FEWEST_SIZES
from dkn.paper.verdicts import INCONCLUSIVE, NOT_RUN, SUPPORTED, TOO_FEW, Thresholds, lies
from dkn.statistics.simultaneous import Measured, simultaneous_intervals
from dkn.summaries.wording import missing

NAME, TEXT = "C8", "Degeneracy grows with model size"
READINGS = {PRIMARY: "the gap beyond that of random groups of the same sizes", LITERAL: "the gap itself"}
METRIC_OF = {PRIMARY: "degeneracy-beyond-control", LITERAL: "degeneracy"}


def _growth(rows: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> dict[str, Any]:
    """Return the largest model's mean minus the smallest's, as a contrast of two independent samples (Welch)."""
    first, last = rows[0], rows[-1]
    variances = [row["se"] ** 2 for row in (first, last)]
    se, spread = sum(variances) ** 0.5, sum(v**2 / row["df"] for v, row in zip(variances, (first, last), strict=True))
    df = sum(variances) ** 2 / spread if spread else min(first["df"], last["df"])
    measured = Measured(last["mean"] - first["mean"], se, df)
    interval = simultaneous_intervals({NAME: measured}, thresholds.alpha)[NAME]
    return {
        "first": last["model"],
        "second": first["model"],
        "difference": measured.difference,
        "se": se,
        "df": df,
        "low": interval.low,
        "high": interval.high,
        "p_adjusted": interval.p,
    }


def growth(rows: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> dict[str, Any]:
    """Return the verdict whether one metric grows with model size, and the contrast that decides it.

    The largest model's mean minus the smallest's is judged as the contrasts of other claims are. It supports growth
    only if every larger model also has more than the next smaller one.

    Args:
        rows: the metric's rows in the order of the models' sizes, as ``against_size`` gives them.
        thresholds: the thresholds that were stated before the run; the metric is a drop in Prob.
    Returns:
        The verdict, and the numbers of the contrast where there are ``FEWEST_SIZES`` sizes with enough subjects, or
        ``why`` it was not judged.
    """
    sizes = {row["parameters"] for row in rows}
    if len(sizes) < FEWEST_SIZES:
        return {"verdict": NOT_RUN, "why": f"{len(sizes)} of {FEWEST_SIZES} sizes of models"}
    usable = [row for row in rows if row["subjects"] >= thresholds.minimum_subjects and not missing(row["se"])]
    enough = {row["parameters"] for row in usable}
    if len(enough) < FEWEST_SIZES:
        return {"verdict": TOO_FEW, "why": f"{len(enough)} of {FEWEST_SIZES} sizes have enough subjects"}
    found = _growth(usable, thresholds)
    verdict = lies(found["low"], found["high"], 0.0, thresholds.margins["drop"])
    if verdict == SUPPORTED and any(upper["mean"] <= lower["mean"] for lower, upper in pairwise(usable)):
        verdict = INCONCLUSIVE
    return {"verdict": verdict, **found}


def verdicts(rows: Sequence[Mapping[str, Any]], note: str | None, thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the verdicts on growth with model size, of the whole study, in both readings.

    Args:
        rows: as ``against_size`` gives them.
        note: why no trend is claimed, or None.
        thresholds: the thresholds that were stated before the run.
    """
    judged = []
    for reading, compares in READINGS.items():
        evidence = [row for row in rows if row["metric"] == METRIC_OF[reading]]
        about = {"claim": NAME, "reading": reading, "text": TEXT, "compares": compares, "model": None}
        judged.append({**about, **growth(evidence, thresholds), "note": note, "evidence": evidence})
    return judged
