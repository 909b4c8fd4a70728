"""The default study, whole and from nothing, by the code of two commits in turn.

    python benchmarks/study.py --before COMMIT              # about 45 minutes on 2 cores
    python benchmarks/study.py --before COMMIT --runs 1 --targets results/figures/funnel.pdf

Both commits are cloned into a temporary folder and run in turn, with nothing kept between runs. Processor time is that
of Snakemake and of all its jobs. A rule's seconds are those of all its jobs, as Snakemake's own benchmark files state
them; they are shown for the run of each commit that took the least processor time.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
RULES_SHOWN = 25


@dataclass(frozen=True)
class Run:
    """What one run of a study took.

    Attributes:
        wall: seconds.
        processor: seconds of processor time, of Snakemake and of its jobs.
        rules: seconds of the jobs of every rule, by the name of the rule's benchmark file without the model.
    """

    wall: float
    processor: float
    rules: pd.Series


def cloned(commit: str, folder: Path) -> Path:
    """Clone this repository into a folder, at one commit."""
    git = shutil.which("git") or sys.exit("git is not installed")
    subprocess.run([git, "clone", "--quiet", "--no-checkout", ROOT, folder], check=True)
    subprocess.run([git, "-C", folder, "checkout", "--quiet", "--detach", commit], check=True)
    return folder


def seconds_of_rules(results: Path) -> pd.Series:
    """Return the seconds of all jobs of a study, summed over models and shards, by rule."""
    files = sorted((results / "benchmarks").rglob("*.tsv"))
    seconds = [float(pd.read_csv(file, sep="\t")["s"].iloc[0]) for file in files]
    rules = [file.parent.name if file.parent.name == "attribution" else file.stem for file in files]
    return pd.Series(seconds, index=rules, dtype=float).groupby(level=0).sum()


def run(folder: Path, cores: int, targets: list[str]) -> Run:
    """Run a clone's default study from nothing.

    Raises:
        SystemExit: it fails; the message is the end of what it printed.
    """
    for made in ("results", ".snakemake"):
        shutil.rmtree(folder / made, ignore_errors=True)
    environment = {**os.environ, "PATH": f"{SNAKEMAKE.parent}:{os.environ['PATH']}"}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [SNAKEMAKE, "--cores", str(cores), *targets]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{folder.name}: {' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, processor, seconds_of_rules(folder / "results"))


def median(numbers: list[float]) -> float:
    """Return the median of some numbers."""
    return sorted(numbers)[len(numbers) // 2]


def main() -> None:
    """Print every run, the ratios of the medians, and the seconds of the rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="the commit to compare with")
    parser.add_argument("--after", default="HEAD", help="the commit that is compared (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--targets", nargs="*", default=[], help="what to make instead of the whole study")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        commits = {"before": arguments.before, "after": arguments.after}
        folders = {name: cloned(commit, Path(temporary) / name) for name, commit in commits.items()}
        runs: dict[str, list[Run]] = {name: [] for name in commits}
        print("| run | commit | seconds | processor time (s) |\n|---|---|---|---|")
        for number in range(arguments.runs):
            for name, folder in folders.items():
                runs[name].append(one := run(folder, arguments.cores, arguments.targets))
                print(f"| {number + 1} | {name} | {one.wall:.0f} | {one.processor:.0f} |", flush=True)
    wall, processor = (
        {name: median([getattr(one, what) for one in own]) for name, own in runs.items()}
        for what in ("wall", "processor")
    )
    print(f"\nmedians, after over before: seconds {wall['after'] / wall['before']:.2f}, ", end="")
    print(f"processor time {processor['after'] / processor['before']:.2f}")
    table = pd.DataFrame({name: min(own, key=lambda one: one.processor).rules for name, own in runs.items()})
    print(f"\nseconds of the jobs of each rule, the {RULES_SHOWN} longest:\n\n| rule | before | after |\n|---|---|---|")
    for rule, row in table.fillna(0.0).sort_values("after", ascending=False).head(RULES_SHOWN).iterrows():
        print(f"| {rule} | {row['before']:.1f} | {row['after']:.1f} |")


if __name__ == "__main__":
    main()
