"""What ``snakemake --list-target-rules`` says: every target with words for what it makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow_rules import ROOT, figure_names, jobs_of_a_run, table_names

UP_TO_DISTANCES = {"make_facts", "model_trained", "known", "attribution", "knowledge_neurons", "distances"}


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


@pytest.mark.parametrize(
    ("figure", "further"),
    [
        ("persistence", {"candidates_ntc", "components", "figure_persistence"}),
        (
            "suppression",
            {"candidates_ntc", "components", "experiment_perturbation", "summary_perturbation", "figure_suppression"},
        ),
    ],
)
def test_a_figure_of_ntc_runs_no_other_grouping(figure: str, further: set[str], tmp_path: Path) -> None:
    jobs = jobs_of_a_run([f"results/figures/{figure}.pdf"], tmp_path)
    assert {job.rule for job in jobs} == UP_TO_DISTANCES | further


def test_the_functional_test_takes_every_grouping_once(tmp_path: Path) -> None:
    jobs = jobs_of_a_run(["degeneracy"], tmp_path)
    tested = [file for job in jobs if job.rule.startswith("components") for file in job.outputs]
    needed = [
        file for job in jobs if job.rule == "experiment_degeneracy" for file in job.inputs if "/components/" in file
    ]
    assert sorted(tested) == sorted(needed)
    assert len(tested) == len(set(tested)) == 16, "eight groupings of two models"
