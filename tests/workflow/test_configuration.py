"""Configurations as Snakemake hands them over, which is not always as they are written; each ends in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dry_run(folder: Path, overlay: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Plan the facts alone, under an overlay of this text."""
    (folder / "o.yaml").write_text(overlay)
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--snakefile", str(ROOT / "Snakefile"), "facts"]
    return subprocess.run(
        [*command, "--configfile", "o.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("overlay", "arguments", "line"),
    [
        ("{1: 2}", (), "config: 1: unknown key; keys are text, and YAML reads a number here"),
        ("clustering: {tau1: {}}", (), "o.yaml: clustering.tau1: {} is an empty section, and this key takes a value"),
        ("{}", ("--config", "clustering={tau1: {}}"), "--config: clustering.tau1: {} is an empty section, and this"),
        ("seed: 1\nseed: 2", (), "o.yaml:2: seed: is given twice in one section"),
        ("attribution: {shards: 1000000}", (), "config: attribution.shards: Input should be less than or equal to"),
        ("{}", ("--set-scatter", "facts=1000000"), "--set-scatter facts=1000000: must be from 1 to 1000"),
        ("{}", ("--config", "compute={batch: 1e3}"), "config: compute.batch: Input should be a valid integer (found"),
        ("figures: {example_fact: nobody}", (), "config: figures.example_fact: no fact has the id 'nobody'; allowed: "),
        (
            "<<: {__use_yte__: true}\nseed: ?2 + 1",
            (),
            "o.yaml: __use_yte__: a configuration holds values, not expressions",
        ),
        ("seed: &a [*a]", (), "config: seed.1: sections and lists lie at most 12 levels deep"),
    ],
)
def test_a_mistake_ends_in_one_line(overlay: str, arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    result = dry_run(tmp_path, overlay, *arguments)
    assert result.returncode
    errors = [text for text in result.stderr.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert errors[0].startswith(f"error: {line}")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("overlay", "arguments"),
    [
        ("attribution: {tolerance: 1e-3}", ()),
        ("{}", ("--config", "compute={batch: 4}", "cache=null", "distances={fold_norm: true}")),
        ("results: r2/", ("--set-scatter", "facts=16")),
    ],
)
def test_numbers_as_text_and_plain_paths_are_taken(overlay: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = dry_run(tmp_path, overlay, *arguments)
    assert not result.returncode, result.stderr
    assert "make_facts" in result.stdout + result.stderr
