"""What jobs ask for: more with every attempt and with larger weights; GPUs only where someone declares them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest

from dkn.study.memory import Work, job_bytes
from dkn.study.operations import shape_of
from tests.short_study import Checkout, short_config

CONFIG = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "vocab_size": 50257,
}
# The workflow, printing what each of its rules asks for in its first two attempts: memory, minutes, GPUs.
ASKING = """
import json

from snakemake.iocontainers import InputFiles, Wildcards

include: "Snakefile"

MODEL = InputFiles(fromdict={"model": "weights", "files": []})

def asked(rule):
    known = {"model": next(iter(MODELS)), "subset": "all"}
    wildcards = Wildcards(fromdict={name: value for name, value in known.items() if name in rule.wildcard_names})
    attempts = [rule.expand_resources(wildcards, MODEL, attempt) for attempt in (1, 2)]
    return {"loads": "compute" in rule.params.keys(), "asks": [[r.mem_mb, r.runtime, r.get("gpu")] for r in attempts]}

print("ASKED", json.dumps({rule.name: asked(rule) for rule in workflow.rules if not rule.norun}))
"""


def asking(made: Checkout) -> Checkout:
    """With a model folder whose weights take no room on the disk."""
    (made.path / "asking.smk").write_text(ASKING)
    (made.path / "weights").mkdir()
    (made.path / "weights" / "tokenizer.json").write_text("{}" * 1000)
    (made.path / "weights" / "config.json").write_text(json.dumps(CONFIG))
    return made


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[dict], Checkout]) -> Checkout:
    return asking(new_checkout(short_config(("gpt2",))))


@pytest.fixture(scope="module")
def spread(new_checkout: Callable[[dict], Checkout]) -> Checkout:
    """The same with a model that wants several GPUs."""
    content = short_config(("gpt2",))
    content["models"][0] |= {"gpus": 2, "training_gpus": 4}
    return asking(new_checkout(content))


def asked(checkout: Checkout, gigabytes: float, *arguments: str) -> dict[str, dict]:
    """Rule -> whether it loads a model, and what its first two attempts ask for with weights of this size."""
    with (checkout.path / "weights" / "model.safetensors").open("wb") as file:
        file.truncate(int(gigabytes * 1e9))
    result = checkout.run("--list-rules", "--snakefile", "asking.smk", *arguments)
    found = re.search(r"^ASKED (.*)$", result.stdout, flags=re.MULTILINE)
    assert found, result.stdout
    return json.loads(found[1])


def test_jobs_ask_for_more_with_every_attempt_and_with_larger_weights(checkout: Checkout) -> None:
    small, large = asked(checkout, 0), asked(checkout, 13.5)
    assert small.keys() == large.keys() > {"known", "attribution", "experiment_fine_tuning", "figure_groupings"}
    for rule, before in small.items():
        memory, minutes, gpu = before["asks"][0]
        larger, longer, _ = large[rule]["asks"][0]
        assert before["asks"][1] == [2 * memory, 2 * minutes, gpu], rule
        assert large[rule]["asks"][1] == [2 * larger, 2 * longer, gpu], rule
        # The file is mapped; what the weights take in memory follows from the model's sizes.
        assert (larger - memory, longer - minutes) == ((13_500, 405) if before["loads"] else (0, 0)), rule
    assert {rule for rule, before in small.items() if before["loads"]} >= {"known", "sensitivity_records", "components"}


WORK = {
    "known": Work.PASSES,
    "attribution": Work.BRANCHES,
    "experiment_fact_checking": Work.BRANCHES,
    "experiment_fine_tuning": Work.FULL_TUNING,  # the wildcard is ``all``
    "audit_model": Work.AUDIT,
}


def test_jobs_ask_for_the_memory_of_their_work(checkout: Checkout) -> None:
    rules = asked(checkout, 1)
    for rule, work in WORK.items():
        memory = job_bytes(shape_of(CONFIG), "float32", 1e9, work) / 1e6
        assert rules[rule]["asks"][0][0] == math.ceil(memory), rule


GPUS = {
    "nobody declares any": ([], "auto", 0),
    "two are declared": (["--resources", "gpu=2"], "auto", 1),
    "none are declared": (["--resources", "gpu=0"], "auto", 0),
    "not wanted": (["--resources", "gpu=2"], "cpu", 0),
    "wanted": ([], "cuda", 1),
}
SPREAD = {
    "as the model says": ([], "auto", {"all": 4, "others": 2}),
    "as many as are declared": (["--resources", "gpu=3"], "cuda", {"all": 3, "others": 2}),
    "none are declared": (["--resources", "gpu=0"], "auto", {"all": 0, "others": 0}),
    "not wanted": (["--resources", "gpu=8"], "cpu", {"all": 0, "others": 0}),
}


@pytest.mark.parametrize("case", GPUS)
def test_jobs_that_load_a_model_ask_for_a_gpu(case: str, checkout: Checkout) -> None:
    arguments, device, expected = GPUS[case]
    rules = asked(checkout, 0, *arguments, "--config", f"compute={{device: {device}}}")
    for rule, found in rules.items():
        assert found["asks"][0][2] == (expected if found["loads"] else None), rule


@pytest.mark.parametrize("case", SPREAD)
def test_jobs_of_a_model_over_several_gpus_ask_for_them(case: str, spread: Checkout) -> None:
    """Fine-tuning, of all parameters here, wants more."""
    arguments, device, expected = SPREAD[case]
    rules = asked(spread, 0, *arguments, "--config", f"compute={{device: {device}}}")
    for rule, found in rules.items():
        which = "all" if rule == "experiment_fine_tuning" else "others"
        assert found["asks"][0][2] == (expected[which] if found["loads"] else None), rule


def test_a_gpu_that_is_wanted_and_ruled_out_is_an_error(checkout: Checkout) -> None:
    result = checkout.run("--dry-run", "--resources", "gpu=0", "--config", "compute={device: cuda}")
    assert result.returncode == 1
    assert "error: compute.device: cuda, but" in result.stdout
    assert "Traceback" not in result.stdout
