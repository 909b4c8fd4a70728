"""What a run says when it ends: from benchmark files, verdicts and Snakemake's log, whatever of them there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dkn.run.ending import failed, failed_jobs, finished, slowest_rules

START = 1_000_000.0
RULES: Mapping[str, Callable[[str], object]] = {
    "attribution": re.compile(r".*/benchmarks/[^/]+/attribution/[^/]+\.tsv").fullmatch,
    **{name: re.compile(rf".*/{name}\.tsv").fullmatch for name in ("facts", "known", "verdicts", "funnel", "report")},
}
LOG = """\
[Sun Nov 22 20:43:55 2026]
Error in rule figure_kn_graph:
    message: None
    jobid: 24
    input: results/facts/facts.parquet
    log: results/logs/figure_kn_graph.log (check log file(s) for error details)
    shell:
        python -m dkn figure-kn-graph 2>&1 | tee results/logs/figure_kn_graph.log
        (command exited with non-zero exit code)
Logfile results/logs/figure_kn_graph.log:
error: there is no fact
[Sun Nov 22 20:44:06 2026]
Error in rule known:
    jobid: 3
    log: results/logs/a/known.log, /tmp/slurm/7.log (check log file(s) for error details)
[Sun Nov 22 20:44:07 2026]
Error in rule known:
    jobid: 4
    log: results/logs/b/known.log (check log file(s) for error details)
[Sun Nov 22 20:45:06 2026]
Error in rule known:
    jobid: 3
    log: results/logs/a/known.log, /tmp/slurm/7.log (check log file(s) for error details)
Error in rule without_log:
    jobid: 9
"""


def benchmark(results: Path, name: str, seconds: str, age: float = -1) -> None:
    """A benchmark file, written so many seconds before the run's start."""
    path = results / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t1.0\n")
    os.utime(path, (START - age, START - age))


def test_the_slowest_rules_are_of_this_run_and_sum_their_jobs(tmp_path: Path) -> None:
    for name, seconds in (("facts", "2.5"), ("m/attribution/1-of-2", "30"), ("m/attribution/2-of-2", "31.5")):
        benchmark(tmp_path, name, seconds)
    benchmark(tmp_path, "known", "40")
    benchmark(tmp_path, "verdicts", "900", age=10)
    benchmark(tmp_path, "funnel", "-")
    benchmark(tmp_path, "of_no_rule", "500")
    found = slowest_rules(tmp_path / "benchmarks", START, RULES)
    assert found == [("attribution", 61.5, 2), ("known", 40.0, 1), ("facts", 2.5, 1)]
    assert slowest_rules(tmp_path / "benchmarks", START, RULES, count=1) == found[:1]


def test_a_finished_study_is_summed_up(tmp_path: Path) -> None:
    benchmark(tmp_path, "facts", "75")
    for name, later in (("index.html", 5), ("report.html", -5)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (START + later, START + later))
    rows = [
        {"claim": "C2", "model": "nano", "reading": "primary", "verdict": "supported"},
        {"claim": "C2", "model": "nano", "reading": "literal", "verdict": "equivalent"},
        {"claim": "C2", "model": "s1", "combined_in": "s", "reading": "primary", "verdict": "supported"},
        {"claim": "C8", "model": None, "reading": "primary", "verdict": "not run", "why": "2 of 3 sizes of models"},
    ]
    (tmp_path / "verdicts.json").write_text(json.dumps({"verdicts": rows}))
    lines = finished(tmp_path, 130.2, START, RULES).splitlines()
    assert [line.strip() for line in lines if line.startswith("  ")] == [
        "C2 nano: primary: supported; literal: equivalent",
        "C8 all models: primary: not run (2 of 3 sizes of models)",
        "facts: 1 min 15 s in 1 job",
    ]
    assert str(tmp_path / "verdicts.json") in lines[0]
    assert lines[-3] == f"Results, to open in a browser: {tmp_path / 'index.html'}"
    assert lines[-2].endswith("report.html (of an earlier run; `snakemake report` makes it anew)")
    assert lines[-1] == "Finished in 2 min 10 s."


@pytest.mark.parametrize("verdicts", [None, "", "[]", "{}", '{"verdicts": [{}]}', '{"verdicts": [1]}'])
def test_a_run_for_one_figure_ends_well_too(tmp_path: Path, verdicts: str | None) -> None:
    """Whatever is missing or broken is left out."""
    if verdicts is not None:
        (tmp_path / "verdicts.json").write_text(verdicts)
    assert finished(tmp_path, 3, START, RULES) == "Finished in 3 s."


@pytest.mark.parametrize("name", ["index", "report"])
def test_an_older_page_is_called_so(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.html").write_text("")
    os.utime(tmp_path / f"{name}.html", (START - 5, START - 5))
    assert f"(of an earlier run; `snakemake {name}` makes it anew)" in finished(tmp_path, 3, START, RULES)


def test_failed_jobs_are_named_once_with_their_logs() -> None:
    assert failed_jobs(LOG) == [
        ("figure_kn_graph", ["results/logs/figure_kn_graph.log"]),
        ("known", ["results/logs/a/known.log", "/tmp/slurm/7.log"]),  # noqa: S108 as Snakemake writes it
        ("known", ["results/logs/b/known.log"]),
        ("without_log", []),
    ]
    assert failed_jobs("1 of 1 steps (100%) done\n") == []


def test_a_failed_run_says_where_to_look_and_what_to_do(tmp_path: Path) -> None:
    log = tmp_path / "snakemake.log"
    log.write_text(LOG)
    text = failed([log, tmp_path / "missing.log"], 61)
    assert text.startswith("4 jobs failed;")
    assert "  figure_kn_graph: results/logs/figure_kn_graph.log\n" in text
    assert text.splitlines()[-1].startswith("Stopped after 1 min 1 s.")
    assert failed([], 1).startswith("Stopped after 1 s.")


def test_the_module_imports_lightly() -> None:
    """The Snakefile reads it for every job."""
    code = "import sys, dkn.run.ending; print(sorted({'torch', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "workflow")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
