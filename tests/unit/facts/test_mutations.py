"""Seeded broken files: facts and templates are taken or refused in one line that names the place, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.facts_mutations import broken_facts, broken_templates, wrong_about_facts, wrong_about_templates


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_facts_file_names_file_and_line(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    refused = 0
    for content in broken_facts(seed, 50):
        path.write_bytes(content)
        message, wrong = wrong_about_facts(path)
        assert wrong is None
        if message is not None:
            refused += 1
            place, _, cause = message.removeprefix(str(path)).partition(": ")
            assert re.fullmatch(r":\d+", place) or cause.startswith(("broken gzip", "no facts"))
    assert refused > 25


@pytest.mark.parametrize("seed", range(2))
def test_a_broken_templates_file_names_file_and_key(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    refused = 0
    for content in broken_templates(seed, 20):
        path.write_bytes(content)
        message, wrong = wrong_about_templates(path)
        assert wrong is None
        refused += message is not None
    assert refused > 8
