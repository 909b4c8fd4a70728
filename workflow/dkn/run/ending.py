"""What a run says when it ends. Standard library only, and nothing here may end a run: files may be missing or old."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dkn.durations import duration

SLOWEST = 5


def _seconds(path: Path) -> float | None:
    """What a benchmark file says its job took; None where it says nothing."""
    try:
        with path.open(newline="") as file:
            return sum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def slowest_rules(
    folder: Path, since: float, rules: Mapping[str, Callable[[str], object]], count: int = SLOWEST
) -> list[tuple[str, float, int]]:
    """The rules that took longest in a run: name, seconds of all jobs together, number of jobs.

    Args:
        folder: holds the benchmark files.
        since: start of the run, seconds since the epoch; older files are of runs before.
        rules: by name, whether a benchmark file is one of the rule's.
        count: how many at most.
    """
    jobs: dict[str, list[float]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        seconds = _seconds(path) if path.stat().st_mtime >= since else None
        rule = next((name for name, matches in rules.items() if matches(str(path))), None)
        if seconds is not None and rule is not None:
            jobs.setdefault(rule, []).append(seconds)
    totals = [(rule, sum(seconds), len(seconds)) for rule, seconds in jobs.items()]
    return sorted(totals, key=lambda total: (-total[1], total[0]))[:count]


def _verdicts(path: Path) -> list[str]:
    """A line per claim and model; none where nothing has been judged."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text())["verdicts"]
        return [f"{row['claim']} {row['model'] or 'all models'}: {row['verdict']}" for row in rows]
    except (OSError, KeyError, TypeError, ValueError):
        return []


def finished(results: Path, seconds: float, since: float, rules: Mapping[str, Callable[[str], object]]) -> str:
    """What a run that ended well has made and how long it took.

    Args:
        results: the study's folder.
        seconds: the run's time.
        since, rules: as in ``slowest_rules``.
    """
    lines = []
    verdicts = _verdicts(results / "verdicts.json")
    if verdicts:
        lines += [f"Verdicts ({results / 'verdicts.json'}):", *(f"  {line}" for line in verdicts)]
    slow = slowest_rules(results / "benchmarks", since, rules)
    if slow:
        lines.append("Slowest rules of this run:")
        lines += [f"  {rule}: {duration(took)} in {jobs} job{'s' * (jobs > 1)}" for rule, took, jobs in slow]
    report = results / "report.html"
    if report.is_file():
        before = "" if report.stat().st_mtime >= since else " (of an earlier run; `snakemake report` makes it anew)"
        lines.append(f"Report, to open in a browser: {report}{before}")
    lines.append(f"Finished in {duration(seconds)}.")
    return "\n".join(lines)


def failed_jobs(log: str) -> list[tuple[str, list[str]]]:
    """The rules that failed, with the logs of their jobs, from Snakemake's own log; each job once."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule, block in re.findall(
        r"^Error in (?:group job|rule|localrule) (\S+?):\n((?:[ \t]+.*\n?)*)", log, re.MULTILINE
    ):
        stated = re.search(r"^ +log: (.+?)(?: \(check log file\(s\).*)?$", block, re.MULTILINE)
        logs = stated[1].split(", ") if stated else []
        found[rule, ", ".join(logs)] = logs
    return [(rule, logs) for (rule, _), logs in found.items()]


def failed(logs: Iterable[Path], seconds: float) -> str:
    """What a run that ended badly leaves to do.

    Args:
        logs: Snakemake's own logs of the run.
        seconds: the run's time.
    """
    jobs: list[tuple[str, list[str]]] = []
    for path in logs:
        try:
            jobs += failed_jobs(path.read_text(errors="replace"))
        except OSError:
            continue
    lines = [f"{len(jobs)} job{'s' * (len(jobs) != 1)} failed; the reason is at the end of:"] if jobs else []
    lines += [f"  {rule}: {', '.join(named) or 'it has no log; see above'}" for rule, named in jobs]
    lines.append(
        f"Stopped after {duration(seconds)}. What is finished is kept: mend the cause and give the same command again."
    )
    return "\n".join(lines)
