"""The profile for clusters on a real SLURM: a study that fails in part, is killed and goes on; time-outs; GPUs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from dkn.storage.files import read_table
from dkn.storage.schemas import CANDIDATES
from tests.short_study import Checkout, short_config

from .cluster import output_of, wait_for

pytestmark = pytest.mark.slurm

HASTE = ["--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "3"]
HASTE += ["--latency-wait", "10"]
TARGETS = [f"results/{model}/candidates/ntc.parquet" for model in ("gpt2-short", "unlearnt")]

# A job whose first attempt never ends in its minute, and three that say what they were given.
EXTRA = """
include: "Snakefile"


rule slow:
    output:
        "slow.txt",
    resources:
        mem_mb=growing(100),
        runtime=growing(1),
    shell:
        "[ {resources.runtime} -gt 1 ] || sleep 600; echo {resources.runtime} {resources.mem_mb} > {output}"


rule with_gpus:
    output:
        "with_{gpus}_gpus.txt",
    resources:
        mem_mb=growing(100),
        runtime=growing(5),
        gpu=lambda wildcards: gpus_of_job(STUDY, int(wildcards.gpus), GPU_LIMIT),
    shell:
        'echo "$SLURM_JOB_PARTITION ${{CUDA_VISIBLE_DEVICES:-none}}" > {output}'


rule without_gpu:
    output:
        "without_gpu.txt",
    resources:
        mem_mb=growing(100),
        runtime=growing(5),
    shell:
        'echo "$SLURM_JOB_PARTITION ${{CUDA_VISIBLE_DEVICES:-none}}" > {output}'
"""
PARTITIONS = """
partitions:
  main: {max_runtime: 2880}
  gpu: {max_runtime: 1440, max_gpu: 8}
"""

Job = dict[str, str]  # as `scontrol show job` prints it


@contextmanager
def submitting(checkout: Checkout, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake on the cluster, killed at the end of the block; its output is the checkout's ``output.txt``."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *HASTE, *arguments]
    with (
        (checkout.path / "output.txt").open("w") as file,
        subprocess.Popen(command, cwd=checkout.path, stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def said(checkout: Checkout) -> str:
    return (checkout.path / "output.txt").read_text()


def jobs_of(output: str) -> list[Job]:
    """What SLURM remembers of the jobs of a run with this output; none before the run has a name."""
    found = re.search(r"^SLURM run ID: (dkn_\S+)$", output, flags=re.MULTILINE)
    if found is None:
        return []
    lines = output_of("scontrol", "--oneliner", "show", "job").splitlines()
    jobs = [dict(pair.split("=", 1) for pair in line.split() if "=" in pair) for line in lines]
    return sorted((job for job in jobs if job.get("JobName") == found[1]), key=lambda job: int(job["JobId"]))


def of_rule(jobs: list[Job], rule: str) -> list[Job]:
    """The jobs of one rule."""
    return [job for job in jobs if job["Comment"].startswith(f"rule_{rule}_wildcards_")]


def running(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job["JobState"] == "RUNNING"]


@dataclass(frozen=True)
class Run:
    """A run of a study that came to its end, by itself or not."""

    checkout: Checkout
    returncode: int
    output: str
    jobs: list[Job]  # at that moment
    model_made: int  # ns


def ended(checkout: Checkout, process: subprocess.Popen[bytes]) -> Run:
    returncode = process.wait(timeout=900)
    output = said(checkout)
    weights = checkout.path / "results" / "gpt2-short" / "model" / "model.safetensors"
    return Run(checkout, returncode, output, jobs_of(output), weights.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def extra(new_checkout: Callable[[dict], Checkout]) -> Iterator[tuple[Checkout, subprocess.Popen[bytes]]]:
    """EXTRA on its way, with two GPUs declared in the profile, and a partition of their own."""
    checkout = new_checkout(short_config(("gpt2",)))
    (checkout.path / "extra.smk").write_text(EXTRA)
    (checkout.path / "partitions.yaml").write_text(PARTITIONS)
    profile = checkout.path / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text()
    for old, new in (("gpu=0", "gpu=2"), ("  slurm_partition:", "  # slurm_partition:")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    profile.write_text(text + "slurm-partition-config: partitions.yaml\n")
    files = [f"{name}.txt" for name in ("slow", "with_1_gpus", "with_2_gpus", "without_gpu")]
    with submitting(checkout, *files, "-s", "extra.smk", "--configfile", "short.yaml") as process:
        yield checkout, process


@pytest.fixture(scope="module")
def killed(new_checkout: Callable[[dict], Checkout], extra: object) -> Run:
    """A study of two models, one of which cannot learn, killed while the other one's facts are attributed."""
    content = short_config(("gpt2",))
    (model,) = content["models"]
    content["models"] = [model, {**model, "name": "unlearnt", "epochs": 1, "target": 0.99}]
    content["groupings"] = {"methods": ["ntc"]}
    checkout = new_checkout(content)
    with submitting(checkout, *TARGETS, "--configfile", "short.yaml") as process:

        def attributing() -> bool:
            assert process.poll() is None, said(checkout)
            return len(running(of_rule(jobs_of(said(checkout)), "attribution"))) == 2

        wait_for(attributing, "two shards of attribution", 600)
    return ended(checkout, process)


@pytest.fixture(scope="module")
def continued(killed: Run) -> Run:
    """The same study, gone on with as docs/cluster.md says, its shards in one array."""
    checkout = killed.checkout
    name = killed.jobs[0]["JobName"]
    subprocess.run(["scancel", "--name", name], check=True)
    wait_for(lambda: not output_of("squeue", "-h", "--name", name), "orphans to end")
    assert checkout.run("--unlock").returncode == 0
    arguments = [*TARGETS, "--slurm-array-jobs", "attribution", "--configfile", "short.yaml"]
    with submitting(checkout, *arguments) as process:
        return ended(checkout, process)


def test_jobs_of_a_killed_snakemake_run_on_and_are_found_by_their_name(killed: Run) -> None:
    assert killed.returncode == -9
    assert len(running(of_rule(killed.jobs, "attribution"))) == 2


def test_a_killed_study_goes_on_where_it_stopped(killed: Run, continued: Run) -> None:
    assert not of_rule(continued.jobs, "known")
    assert "Training gpt2-short" not in continued.output
    assert continued.model_made == killed.model_made
    results = continued.checkout.path / "results" / "gpt2-short"
    assert len(read_table(results / "candidates" / "ntc.parquet", CANDIDATES))
    assert {job["JobState"] for job in of_rule(continued.jobs, "candidates_ntc")} == {"COMPLETED"}


def test_a_failed_job_shows_its_log_and_stops_only_what_needs_it(continued: Run) -> None:
    assert continued.returncode == 1
    assert "Error in rule model_trained" in continued.output
    assert re.search(r"^error: training reached .* below the target of 99%", continued.output, flags=re.MULTILINE)
    assert not (continued.checkout.path / "results" / "unlearnt" / "known.parquet").exists()


def test_every_attempt_asks_for_more(continued: Run) -> None:
    attempts = of_rule(continued.jobs, "model_trained")
    assert [job["JobState"] for job in attempts] == ["FAILED"] * 3
    assert [job["TimeLimit"] for job in attempts] == ["00:30:00", "01:00:00", "01:30:00"]
    assert [job["TRES"].split(",")[1] for job in attempts] == ["mem=4000M", "mem=8000M", "mem=12000M"]


def test_shards_go_as_one_array(continued: Run) -> None:
    shards = of_rule(continued.jobs, "attribution")
    assert {job["ArrayTaskId"] for job in shards} == {"1", "2"}
    assert len({job["ArrayJobId"] for job in shards}) == 1
    assert {job["JobState"] for job in shards} == {"COMPLETED"}


def test_a_job_that_runs_out_of_time_is_retried_with_more(extra: tuple[Checkout, subprocess.Popen[bytes]]) -> None:
    checkout, process = extra
    assert process.wait(timeout=300) == 0, said(checkout)
    jobs = [job for job in jobs_of(said(checkout)) if job["Comment"] == "rule_slow"]
    assert [(job["JobState"], job["TimeLimit"]) for job in jobs] == [("TIMEOUT", "00:01:00"), ("COMPLETED", "00:02:00")]
    assert (checkout.path / "slow.txt").read_text() == "2 200\n"


def test_gpus_are_given_to_jobs_that_ask_for_them(extra: tuple[Checkout, subprocess.Popen[bytes]]) -> None:
    checkout, process = extra
    assert process.wait(timeout=300) == 0, said(checkout)
    assert (checkout.path / "with_1_gpus.txt").read_text() in ("gpu 0\n", "gpu 1\n")
    assert (checkout.path / "with_2_gpus.txt").read_text() == "gpu 0,1\n"
    assert (checkout.path / "without_gpu.txt").read_text() == "main none\n"
