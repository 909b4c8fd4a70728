"""Rows of verdicts.json made by hand, with every verdict, two models and a claim about all of them."""

from __future__ import annotations

from typing import Any

from tests.unit.captions import NUMBERS

WHERE = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "metric": "drop"}


def piece(outcome: str, **values: Any) -> dict[str, Any]:
    """One contrast of a verdict."""
    differences = {"supported": 0.2, "contradicted": -0.4, "too few facts": None, "not run": None}
    numbers = {} if outcome == "not run" else {**NUMBERS, "difference": differences.get(outcome, 0.001)}
    if outcome == "too few facts":
        numbers |= {"low": None, "high": None, "facts": 3, "subjects": 3}
    return {**WHERE, **numbers, "outcome": outcome, **values}


def row(claim: str, model: str | None, verdict: str, *outcomes: str, reading: str = "primary") -> dict[str, Any]:
    """One verdict; its contrasts have these outcomes, or the verdict itself."""
    evidence = [piece(outcome) for outcome in outcomes or (verdict,)]
    about = {"claim": claim, "reading": reading, "text": f"{claim} is so", "compares": f"as {reading}"}
    return {**about, "model": model, "combined_in": None, "verdict": verdict, "evidence": evidence}


def growth(**values: Any) -> dict[str, Any]:
    """A verdict on all models together."""
    sizes = [{"model": name, "parameters": n, "mean": 0.2, **NUMBERS} for n, name in enumerate(("one", "two"))]
    about = {"claim": "C8", "reading": "primary", "text": "It grows", "compares": "the gap", "model": None}
    return {**about, "verdict": "not run", "note": "2 models: too few", "evidence": sizes, **values}


def rows() -> list[dict[str, Any]]:
    """The verdicts of a study of two models."""
    return [
        row("C1", "one", "supported"),
        row("C1", "two", "supported"),
        row("C2", "one", "supported"),
        row("C2", "two", "contradicted", "supported", "contradicted", "inconclusive"),
        row("C2", "one", "contradicted", reading="literal"),
        row("C2", "two", "contradicted", reading="literal"),
        row("C3", "one", "equivalent", "equivalent", "supported"),
        row("C3", "two", "inconclusive"),
        row("C4", "one", "too few facts", "too few facts", "supported"),
        row("C4", "two", "not run"),
        growth(),
    ]
