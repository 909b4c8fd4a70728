"""Peak memory of every finished job of a study beside what its rule asks for (``mem_mb``).

    python benchmarks/memory.py                                          # the default study
    python benchmarks/memory.py --configfile config/smollm2.yaml

The flags are those that Snakemake ran with, in the folder in which it ran. Snakemake looks at a job every half a second
in its first seconds and every 30 seconds later, so that it can miss a short peak. Peaks count the files of weights that
are mapped into memory. The exit status is 1 where a job took more than it asked for.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

ROOT = Path(__file__).resolve().parents[1]
# The study's own workflow, printing for every benchmark file the model and what the first attempt asks for.
ASKING = """
import json

from snakemake.iocontainers import InputFiles, Wildcards

include: "Snakefile"

for rule in (rule for rule in workflow.rules if rule.benchmark):
    for path in sorted(Path(RESULTS, "benchmarks").rglob("*.tsv")):
        if found := rule.benchmark.match(str(path)):
            wildcards = Wildcards(fromdict=found.groupdict())
            model = wildcards.get("model")
            input = InputFiles(fromdict={"model": f"{RESULTS}/{model}/model"} if model else {})
            asked = rule.expand_resources(wildcards, input, 1).mem_mb
            print("ASKED", json.dumps([model or "-", str(path), asked]))
"""


def asked(flags: Iterable[str]) -> list[tuple[str, Path, float]]:
    """The model, the benchmark file and the megabytes that were asked for, of every finished job."""
    with NamedTemporaryFile("w", dir=ROOT, suffix=".smk", encoding="utf-8") as file:
        file.write(ASKING)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--list-rules", "--snakefile", file.name, *flags]
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    rows = [json.loads(line.removeprefix("ASKED ")) for line in ended.stdout.splitlines() if line.startswith("ASKED ")]
    if not rows:
        sys.exit(f"no finished job is found\n{ended.stdout}{ended.stderr}")
    return [(model, Path(path), float(megabytes)) for model, path, megabytes in rows]


def peak(path: Path) -> float:
    """The most resident memory that Snakemake saw of a job, in megabytes."""
    with path.open(newline="", encoding="utf-8") as file:
        return max(float(row["max_rss"]) * 1.048576 for row in csv.DictReader(file, delimiter="\t"))


def table(jobs: Iterable[tuple[str, Path, float]]) -> tuple[list[str], bool]:
    """Lines of a table, with the highest peak among all shards of a job, and whether none took more than it asked for.

    Args:
        jobs: the model, the benchmark file and the megabytes that were asked for.
    """
    highest: dict[tuple[str, str], tuple[float, float]] = {}
    for model, path, megabytes in jobs:
        name = path.stem if path.parent.name in (model, "benchmarks") else path.parent.name
        highest[model, name] = max(highest.get((model, name), (0.0, 0.0)), (peak(path), megabytes))
    lines = ["| model | job | peak (MB) | asked for (MB) | share |", "|---|---|---|---|---|"]
    for (model, name), (taken, megabytes) in sorted(highest.items()):
        lines.append(f"| {model} | {name} | {taken:,.0f} | {megabytes:,.0f} | {taken / megabytes:.2f} |")
    return lines, all(taken <= megabytes for taken, megabytes in highest.values())


def main() -> None:
    """Print the table."""
    lines, enough = table(asked(sys.argv[1:]))
    print("\n".join(lines))
    sys.exit(0 if enough else "a job took more than it asked for")


if __name__ == "__main__":
    main()
