"""Configurations, facts files and files of templates with mistakes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.torture.counts import Counts, counting
from tests.unit.facts_mutations import broken_facts, broken_templates, wrong_about_facts, wrong_about_templates
from tests.unit.study.mutations import fault, mutants

EXCEPTION = re.compile(r"\b\w+(Error|Exception|Exit|Interrupt): ")


def configurations(count: int, seed: int) -> Counts:
    """Read configurations with mistakes in any key."""
    with counting("configurations") as counts:
        for mutant in mutants(count, seed):
            counts.tried += 1
            wrong = fault(mutant)
            if wrong is None:
                counts.taken += mutant.taken
                counts.refused += not mutant.taken
            else:
                kind = "hangs" if wrong.endswith("seconds") else "tracebacks" if EXCEPTION.search(wrong) else "wrong"
                counts.went_wrong(kind, wrong)
    return counts


def files(part: str, count: int, seed: int, scratch: Path) -> Counts:
    """Read broken files.

    Args:
        part: ``facts`` or ``templates``.
        count, seed: how many files, and what they depend on.
        scratch: a folder for the file.
    """
    draw, wrong_about = {
        "facts": (broken_facts, wrong_about_facts),
        "templates": (broken_templates, wrong_about_templates),
    }[part]
    path = scratch / {"facts": "facts.jsonl", "templates": "own.yaml"}[part]
    with counting(f"{part} files") as counts:
        for number, content in enumerate(draw(seed, count)):
            counts.tried += 1
            path.write_bytes(content)
            try:
                message, wrong = wrong_about(path)
            except Exception as error:
                counts.went_wrong("tracebacks", f"{number}: {type(error).__name__}: {error}"[:500])
                continue
            if wrong:
                counts.went_wrong("wrong", f"{number}: {wrong}")
            else:
                counts.taken += message is None
                counts.refused += message is not None
    return counts
