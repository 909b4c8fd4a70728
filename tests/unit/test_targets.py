"""What ``snakemake --list-target-rules`` says: every target with words for what it makes."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.workflow_rules import ROOT, figure_names, table_names


def test_every_target_says_what_it_makes() -> None:
    command = [sys.executable, "-m", "snakemake", "--list-target-rules", "--quiet"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in result.stdout.splitlines() if line]
    targets = {found[1]: found[2] for line in lines if (found := re.fullmatch(r"(\w+) \((.{10,100})\)", line))}
    assert len(targets) == len(lines), set(lines) - set(targets)
    assert {"all", "facts", "degeneracy", "estimate", "audit"} <= targets.keys()
    drawn, written = (
        [f"{kind}_{name}" for name in names] for kind, names in (("figure", figure_names()), ("table", table_names()))
    )
    assert all(targets[name].startswith("Figure: ") for name in drawn)
    assert all(targets[name].startswith("Table: ") for name in written)
    assert len(set(targets.values())) == len(targets)
