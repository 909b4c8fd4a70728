"""The message at the end of a run.

This module imports the standard library only. Nothing in it may raise, so a file that is missing or damaged counts as
empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dkn.run.benchmarks import job_seconds
from dkn.run.durations import duration

SLOWEST = 5
# The pages that a run names, by their targets; the one to begin with comes first.
PAGES = {"index": "Results, to open in a browser", "report": "Snakemake's report, with rules and run times"}


def slowest_rules(
    folder: Path, since: float, rules: Mapping[str, Callable[[str], object]], count: int = SLOWEST
) -> list[tuple[str, float, int]]:
    """Return the rules that took longest in a run.

    Args:
        folder: the folder with the benchmark files of jobs.
        since: the start of the run, in seconds since the epoch; older files belong to earlier runs.
        rules: by a rule's name, a function that tells whether a path is a benchmark file of the rule.
        count: the most rules to return.
    Returns:
        For each rule its name, the seconds of all its jobs together, and the number of its jobs; the slowest first.
    """
    jobs: dict[str, list[float]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        seconds = job_seconds(path) if path.stat().st_mtime >= since else None
        rule = next((name for name, matches in rules.items() if matches(str(path))), None)
        if seconds is not None and rule is not None:
            jobs.setdefault(rule, []).append(seconds)
    totals = [(rule, sum(seconds), len(seconds)) for rule, seconds in jobs.items()]
    return sorted(totals, key=lambda total: (-total[1], total[0]))[:count]


def _verdicts(path: Path) -> list[str]:
    """Return one line per claim and model from the file of verdicts, or none where it cannot be read.

    Of models that are combined over seeds, the combination has its lines alone.
    """
    readings: dict[str, dict[str, str]] = {}
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
        for row in (row for row in rows if not row.get("combined_in")):
            why = f" ({row['why']})" if row.get("why") else ""
            readings.setdefault(f"{row['claim']} {row['model'] or 'all models'}", {})[row["reading"]] = (
                row["verdict"] + why
            )
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return []
    return [
        f"{name}: {'; '.join(f'{reading}: {verdict}' for reading, verdict in found.items())}"
        for name, found in readings.items()
    ]


def finished(results: Path, seconds: float, since: float, rules: Mapping[str, Callable[[str], object]]) -> str:
    """Return the message of a run without failed jobs: verdicts, slowest rules, the pages to open, and the time.

    Args:
        results: the study's folder.
        seconds: how long the run took.
        since: the start of the run, in seconds since the epoch.
        rules: by a rule's name, a function that tells whether a path is a benchmark file of the rule.
    """
    lines = []
    verdicts = _verdicts(results / "verdicts.json")
    if verdicts:
        lines += [f"Verdicts ({results / 'verdicts.json'}):", *(f"  {line}" for line in verdicts)]
    slow = slowest_rules(results / "benchmarks", since, rules)
    if slow:
        lines.append("Slowest rules of this run:")
        lines += [f"  {rule}: {duration(total)} in {jobs} job{'s' * (jobs > 1)}" for rule, total, jobs in slow]
    for name, words in PAGES.items():
        page = results / f"{name}.html"
        if page.is_file():
            remark = "" if page.stat().st_mtime >= since else f" (of an earlier run; `snakemake {name}` makes it anew)"
            lines.append(f"{words}: {page}{remark}")
    lines.append(f"Finished in {duration(seconds)}.")
    return "\n".join(lines)


def failed_jobs(log: str) -> list[tuple[str, list[str]]]:
    """Return the rules of failed jobs, each with its job's log files, from the text of Snakemake's own log.

    A job that failed several times is returned once.
    """
    logs_of_jobs: dict[tuple[str, str], list[str]] = {}
    for rule, block in re.findall(
        r"^Error in (?:group job|rule|localrule) (\S+?):\n((?:[ \t]+.*\n?)*)", log, re.MULTILINE
    ):
        match = re.search(r"^ +log: (.+?)(?: \(check log file\(s\).*)?$", block, re.MULTILINE)
        logs = match[1].split(", ") if match else []
        logs_of_jobs[rule, ", ".join(logs)] = logs
    return [(rule, logs) for (rule, _), logs in logs_of_jobs.items()]


def failed(logs: Iterable[Path], seconds: float) -> str:
    """Return the message of a run with failed jobs: their rules and logs, the time, and what to do.

    Args:
        logs: the paths of Snakemake's own logs of the run.
        seconds: how long the run took.
    """
    jobs: list[tuple[str, list[str]]] = []
    for path in logs:
        try:
            jobs += failed_jobs(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    lines = [f"{len(jobs)} job{'s' * (len(jobs) != 1)} failed; the reason is at the end of:"] if jobs else []
    lines += [f"  {rule}: {', '.join(job_logs) or 'it has no log; see above'}" for rule, job_logs in jobs]
    lines.append(
        f"Stopped after {duration(seconds)}. What is finished is kept: mend the cause and give the same command again."
    )
    return "\n".join(lines)
