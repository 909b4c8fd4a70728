"""What a study found, in words: the verdicts of verdicts.json as a headline, as a grid, and claim by claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dkn.paper.claims import LITERAL, PRIMARY, READINGS
from dkn.paper.verdicts import CONTRADICTED, EQUIVALENT, INCONCLUSIVE, NOT_RUN, OUTCOMES, SUPPORTED, TOO_FEW
from dkn.summaries.wording import compared, contrast, interval, sized

Row = Mapping[str, Any]
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SIDES = {"for": (SUPPORTED,), "against": (CONTRADICTED, EQUIVALENT), "open": (INCONCLUSIVE, TOO_FEW, NOT_RUN)}
IN_WORDS = {
    PRIMARY: "compares like with like; it was fixed before any result was seen",
    LITERAL: "takes the paper's words, where these leave open what is compared",
}


def meanings(minimum_subjects: int) -> dict[str, str]:
    """Return what each verdict says, and for which side, in the order of ``OUTCOMES``.

    Args:
        minimum_subjects: over fewer subjects a contrast is not judged.
    """
    found = {
        SUPPORTED: "For the paper. Every contrast that the claim needs lies above zero, with its whole interval.",
        CONTRADICTED: "Against the paper. At least one contrast lies below zero, with its whole interval.",
        EQUIVALENT: "Against the paper's “more”. At least one contrast is so close to zero that its whole interval is "
        "within a margin stated in advance, and none lies below zero.",
        INCONCLUSIVE: "For neither side. At least one interval holds zero, and also differences that would matter.",
        TOO_FEW: f"Not judged. A contrast that the claim needs rests on fewer than {minimum_subjects} subjects.",
        NOT_RUN: "Not judged. An experiment that the claim needs was not run.",
    }
    return {outcome: found[outcome] for outcome in OUTCOMES}


def counted(count: int) -> str:
    """Return a number in words, as far as people write it so."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def judged(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that the page shows: of models that are combined over seeds the combination alone."""
    return [row for row in rows if not row.get("combined_in")]


def models_of(rows: Sequence[Row]) -> list[str]:
    """Return the models of the rows, in their order; a claim about all models has none."""
    return list(dict.fromkeys(row["model"] for row in rows if row["model"]))


def _all(models: Sequence[str]) -> str:
    """Return in words where something holds that holds in every model of the study."""
    if len(models) == 1:
        return f"in {models[0]}"
    return "in both models" if len(models) == 2 else f"in all {counted(len(models))} models"


def _where(rows: Sequence[Row], verdict: str) -> str:
    """Return in brackets the claims with a verdict, each with the models that have it; nothing where there is none."""
    models = models_of(rows)
    claims: dict[tuple[str, ...], list[str]] = {}
    for claim in dict.fromkeys(row["claim"] for row in rows):
        found = [row["model"] or "" for row in rows if (row["claim"], row["verdict"]) == (claim, verdict)]
        if found:
            claims.setdefault(tuple(found), []).append(claim)
    places = {found: "" if found == ("",) else f" in {listed(found)}" for found in claims}
    places |= {tuple(models): f" {_all(models)}"} if models else {}
    named = [f"{listed(names)}{places[found]}" for found, names in claims.items()]
    return f" ({'; '.join(named)})" if named else ""


def headline(rows: Sequence[Row], reading: str) -> str:
    """Return in one sentence how the paper's claims fare in one reading; empty where no claim has this reading.

    A claim counts as supported if it is so in every model, and as contradicted if it is so in any.

    Args:
        rows: the rows of verdicts.json.
        reading: the reading of the claims.
    """
    rows = [row for row in judged(rows) if row["reading"] == reading]
    found = {row["claim"]: {other["verdict"] for other in rows if other["claim"] == row["claim"]} for row in rows}
    if not found:
        return ""
    models = models_of(rows)
    supported = [claim for claim, verdicts in found.items() if verdicts == {SUPPORTED}]
    contradicted = [claim for claim, verdicts in found.items() if CONTRADICTED in verdicts]
    rest = len(found) - len(supported) - len(contradicted)
    subject = f"Of the paper's {counted(len(found))} claim{'s' * (len(found) > 1)}"
    if reading == LITERAL:
        subject = f"Read literally, as {counted(len(found))} of the claims can be"
    return (
        f"{subject}, {_are(len(supported))} supported{f' {_all(models)}' if models else ''}"
        f"{f' ({listed(supported)})' if supported else ''}, {_are(len(contradicted))} contradicted"
        f"{_where(rows, CONTRADICTED)}, and {_are(rest)} neither."
    )


def _are(count: int) -> str:
    return f"{counted(count)} {'is' if count < 2 else 'are'}"


def _piece(piece: Row) -> str:
    """Return one contrast of a verdict in words."""
    if piece.get("facts") is None:
        return f"{compared(piece)}: no number"
    return contrast(piece)


def _sides(row: Row) -> dict[str, list[str]]:
    """Return the contrasts of a verdict in words, by the side for which they speak; each open one says what it is."""
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    for piece in row["evidence"]:
        side = next(side for side, outcomes in SIDES.items() if piece["outcome"] in outcomes)
        said = {SUPPORTED: "", CONTRADICTED: ""}.get(piece["outcome"], f" ({piece['outcome']})")
        sides[side].append(_piece(piece) + said)
    return sides


def _growth(row: Row) -> tuple[str, list[str]]:
    """Return what decides a verdict on all models together, and each model's number."""
    numbers = [
        f"{size['model']}: {interval(size['mean'], size['low'], size['high'], 'drop', True)}, {sized(size)}"
        for size in row["evidence"]
    ]
    if row.get("difference") is None:
        return f"Not judged: {row['note']}." if row.get("note") else "", numbers
    number = interval(row["difference"], row["low"], row["high"], "drop", difference=True)
    return f"{row['first']}, the largest model, minus {row['second']}, the smallest: {number}.", numbers


def cell(row: Row) -> dict[str, Any]:
    """Return what the page says of one verdict.

    Args:
        row: a row of verdicts.json.
    Returns:
        model (None: all together), verdict, short (how many contrasts support the claim), words (what that is, for
        either side), sides (the contrasts by side), numbers (the numbers of a claim about all models).
    """
    about = {"model": row["model"], "verdict": row["verdict"]}
    if row["model"] is None:
        words, numbers = _growth(row)
        return {**about, "short": "", "words": words, "sides": {}, "numbers": numbers}
    sides = _sides(row)
    total = len(row["evidence"])
    parts = {side: len(pieces) for side, pieces in sides.items()}
    words = (
        f"Of {counted(total)} contrast{'s' * (total > 1)}, {counted(parts['for'])} {_s('speak', parts['for'])} for the "
        f"claim, {counted(parts['against'])} {_s('speak', parts['against'])} against it, and {counted(parts['open'])} "
        f"{_s('leave', parts['open'])} it open."
    )
    return {**about, "short": f"{len(sides['for'])} of {total}", "words": words, "sides": sides, "numbers": []}


def _s(verb: str, count: int) -> str:
    return verb if count > 1 else f"{verb}s"


def claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what the page says of every claim, in the order of the claims.

    Args:
        rows: the rows of verdicts.json.
    Returns:
        For each claim its name, text and readings: for each reading, compares (in words) and cells by model.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in sorted(judged(rows), key=lambda row: (row["claim"], READINGS.index(row["reading"]))):
        claim = found.setdefault(row["claim"], {"name": row["claim"], "text": row["text"], "readings": {}})
        reading = claim["readings"].setdefault(row["reading"], {"compares": row["compares"], "cells": {}})
        reading["cells"][row["model"]] = cell(row)
    return list(found.values())


def not_judged(rows: Sequence[Row], verdict: str, minimum_subjects: int) -> dict[str, list[str]]:
    """Return what could not be judged for one reason, each with the claims, readings and models that miss it.

    Args:
        rows: the rows of verdicts.json.
        verdict: the reason: ``TOO_FEW`` or ``NOT_RUN``.
        minimum_subjects: over fewer subjects a contrast is not judged.
    """
    missing: dict[str, list[str]] = {}
    for row in judged(rows):
        where = f"{row['claim']} ({row['reading']} reading{', ' + row['model'] if row['model'] else ''})"
        if row["model"] is None and row["verdict"] == verdict:
            reasons = [row.get("note") or "too few models have enough subjects"]
        else:
            pieces = (piece for piece in row["evidence"] if row["model"] and piece["outcome"] == verdict)
            reasons = [_missing(piece, verdict, minimum_subjects) for piece in pieces]
        for reason in dict.fromkeys(reasons):
            missing.setdefault(reason, []).append(where)
    return missing


def _missing(piece: Row, verdict: str, minimum_subjects: int) -> str:
    """Return a contrast that was not judged, with the reason."""
    if verdict == NOT_RUN:
        return f"{compared(piece)}: experiment {piece['experiment']} was not run"
    size = sized(piece) if piece.get("facts") is not None else "no facts"
    return f"{compared(piece)}: {size}, where {minimum_subjects} subjects are needed"
