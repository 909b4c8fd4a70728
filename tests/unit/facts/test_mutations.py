"""Seeded broken files: facts and templates are taken or refused in one line that names the place, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.facts.schema import GAP
from dkn.facts.sources import FactsSource, read_facts, read_templates
from tests.unit.facts_mutations import RESOURCES, broken_facts, broken_templates

TEMPLATES = read_templates([RESOURCES / "templates.yaml"])


def refusal(path: Path, facts: bool) -> str | None:
    """The message in which reading ends, or None; what is read is plain text."""
    try:
        if not facts:
            read_templates([path])
            return None
        read, _ = read_facts([FactsSource(str(path))], TEMPLATES, 0)
    except UserError as error:
        return str(error)
    for fact in read:
        for text in (
            fact.fact_id,
            fact.subject,
            *fact.answers,
            fact.query,
            fact.prompt,
            *fact.paraphrases,
            fact.complex,
        ):
            assert text == " ".join(text.split())
            assert text.encode()
            assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text)
        assert GAP not in fact.prompt
        assert fact.date is None or re.fullmatch("[0-9]{4}", fact.date)
    return None


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_facts_file_names_file_and_line(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    refused = 0
    for content in broken_facts(seed, 50):
        path.write_bytes(content)
        message = refusal(path, facts=True)
        if message is not None:
            refused += 1
            place, _, cause = message.removeprefix(str(path)).partition(": ")
            assert re.fullmatch(r":\d+", place) or cause.startswith(("broken gzip", "no facts"))
            assert message.isprintable()
            assert len(message) < 600
    assert refused > 25


@pytest.mark.parametrize("seed", range(2))
def test_a_broken_templates_file_names_file_and_key(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    refused = 0
    for content in broken_templates(seed, 20):
        path.write_bytes(content)
        message = refusal(path, facts=False)
        if message is not None:
            refused += 1
            assert message.startswith(f"{path}: ")
            assert message.isprintable()
            assert len(message) < 600
    assert refused > 8
