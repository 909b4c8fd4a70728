"""How time and memory of planning, of every stage without a model, and of the report grow with a study.

    python benchmarks/scale.py --facts 1000 4000 16000
    python benchmarks/scale.py --facts 1000 --models 2 4 8
    python benchmarks/scale.py --facts 100000 --models 1 --stages summary-degeneracy

Every stage runs in a process of its own, on the stored tables of a synthetic study (``scale_study.py``). Where stages
of a name run several times (once per model or experiment), the table has the largest of each number. Exponents are of
what a stage needs beyond its start: of three sizes, each so many times the one before, log of the ratio of the two
increments. `plan` is a dry run of the study, and `report` is Snakemake's report of what the stages have made.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent  # this process imports nothing large: its memory would count as its children's
LEAST = 0.5, 20.0  # increments of seconds and MB below these are noise, and give no exponent
MODEL = "{{name: {}, source: trained, architecture: gpt2, layers: 8, width: 96, heads: 4, kv_heads: 4, neurons: 384, "
MODEL += "vocabulary: 4000, dropout: 0.0, epochs: 14, batch: 32, learning_rate: 0.003, weight_decay: 0.01, "
MODEL += "label_smoothing: 0.3, target: 0.5}}"


class Used(NamedTuple):
    """What a process used."""

    seconds: float  # of processor time, its children's included
    megabytes: float  # of memory at the peak


def measured(command: Sequence[str], folder: Path) -> Used:
    """Run a command in a folder and return what it used; raise CalledProcessError where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read())
            raise subprocess.CalledProcessError(process.returncode, command)
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def exponent(sizes: Sequence[int], values: Sequence[float], least: float) -> float | None:
    """Return the exponent c of a + b size^c, or None where nothing grows enough to tell.

    Args:
        sizes: three sizes, each as many times the one before.
        values: what was measured at each.
        least: the smallest second increment that says something.
    """
    first, second = values[1] - values[0], values[2] - values[1]
    if second < least:
        return None
    return math.log(second / max(first, least / 10)) / math.log(sizes[1] / sizes[0])


def write_configuration(folder: Path, models: int) -> Path:
    """Write a configuration with so many models of the names that the synthetic study has."""
    path = folder / "config.yaml"
    entries = "\n".join(f"  - {MODEL.format(f'model-{number}')}" for number in range(models))
    made = (
        "attribution: {shards: 1}\ngroupings: {methods: [ntc, hierarchical, kmeans, amig]}\n"  # as the tests make them
    )
    path.write_text(f"results: results\n{made}models:\n{entries}\n", encoding="utf-8")
    return path


def snakemake(*arguments: str) -> list[str]:
    """Return a command of Snakemake on this checkout."""
    return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", *arguments]


def planned(folder: Path, models: int, shards: int) -> Used:
    """Plan a whole study in an empty folder."""
    home = folder / f"plan-{models}-{shards}"
    home.mkdir(exist_ok=True)
    configuration = write_configuration(home, models)
    scattered = ["--set-scatter", f"facts={shards}", "--configfile", str(configuration)]
    return measured(snakemake("--dry-run", "--quiet", "all", *scattered), home)


def reported(folder: Path, models: int) -> tuple[Used, float]:
    """Build the report of a study whose stages have run, and return its size in MB too."""
    configuration = write_configuration(folder, models)
    made = ["--report", "report.html", "--configfile", str(configuration), "--nolock", "make_report"]
    used = measured(snakemake(*made), folder)
    return used, (folder / "report.html").stat().st_size / 1e6


def run_stages(folder: Path, facts: int, models: int, chosen: Sequence[str]) -> Iterator[tuple[str, Used]]:
    """Make a study, run its stages, or those whose names begin with a chosen word, and yield what each used."""
    study = [sys.executable, str(ROOT / "benchmarks" / "scale_study.py")]
    about = ["results", str(facts), str(models)]
    if not (folder / "results").exists():
        measured([*study, "make", *about], folder)
    listed = subprocess.run([*study, "commands", *about], cwd=folder, check=True, capture_output=True, encoding="utf-8")
    for name, *arguments in json.loads(listed.stdout):
        if not chosen or name.startswith(tuple(chosen)):
            yield name, measured([sys.executable, "-m", "dkn", name, *arguments], folder)


def largest(rows: Iterator[tuple[str, Used]]) -> dict[str, Used]:
    """Return the largest time and the largest memory of every stage."""
    found: dict[str, Used] = {}
    for name, used in rows:
        found[name] = Used(*map(max, found.get(name, used), used))
        print(f"# {name}: {used.seconds:.1f} s, {used.megabytes:.0f} MB", file=sys.stderr, flush=True)
    return found


def print_table(sizes: Sequence[int], what: str, found: Sequence[dict[str, Used]]) -> None:
    """Print a row per stage: time and memory at every size, and their exponents if there are three sizes."""
    heads = [f"{size:,} {what}" for size in sizes]
    exponents = len(sizes) == 3 and sizes[0] * sizes[2] == sizes[1] ** 2
    print(f"\n| stage | {' | '.join(heads)} |" + (" exponents |" if exponents else ""))
    print("| --- |" + " ---: |" * (len(sizes) + exponents))
    for name in found[-1]:
        cells = [f"{of[name].seconds:.1f} s, {of[name].megabytes:,.0f} MB" if name in of else "" for of in found]
        if exponents and all(name in of for of in found):
            powers = [exponent(sizes, [of[name][column] for of in found], least) for column, least in enumerate(LEAST)]
            cells.append(", ".join("-" if power is None else f"{power:.2f}" for power in powers))
        print(f"| `{name}` | {' | '.join(cells)} |")


def study(folder: Path, facts: int, models: int, arguments: argparse.Namespace) -> dict[str, Used]:
    """Return what every part of one study used, in a folder that may hold its tables already."""
    home = folder / f"{facts}-{models}"
    home.mkdir(parents=True, exist_ok=True)
    found = {}
    if not arguments.stages:
        found["plan"] = planned(home, models, arguments.shards)
    found |= largest(run_stages(home, facts, models, arguments.stages))
    for page in sorted(home.glob("results/*/explorer.html"))[:1]:
        print(f"# {page}: {page.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    if not arguments.stages:
        found["report"], size = reported(home, models)
        print(f"# report: {size:.1f} MB", file=sys.stderr)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, nargs="+", default=[1000, 4000, 16000], help="hundreds of facts")
    parser.add_argument("--models", type=int, nargs="+", default=[1], help="(default: 1)")
    parser.add_argument("--shards", type=int, default=512, help="of the plan (default: %(default)s)")
    parser.add_argument("--stages", nargs="+", default=[], help="only stages whose names begin so; no plan, no report")
    parser.add_argument("--folder", type=Path, help="keeps the studies, and takes those that are there")
    arguments = parser.parse_args()
    if any(facts < 100 or facts % 100 for facts in arguments.facts):
        parser.error("--facts: hundreds of facts")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        if len(arguments.models) > 1:
            facts = arguments.facts[0]
            found = [study(folder, facts, models, arguments) for models in arguments.models]
            print_table(arguments.models, f"models, {facts:,} facts", found)
        else:
            found = [study(folder, facts, arguments.models[0], arguments) for facts in arguments.facts]
            print_table(arguments.facts, "facts", found)


if __name__ == "__main__":
    main()
