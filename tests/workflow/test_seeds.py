"""Several seeds of a model: its first model stays as it is, and the others are trained and studied beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from tests.short_study import ROOT, Checkout, jobs_in, short_config

FIGURES = {f"figure_{name}" for name in ("seeds", "verdicts", "complexity", "reported", "funnel")}


def with_seeds(count: int) -> dict:
    """The short study with several seeds of its first model."""
    content = short_config()
    content["models"][0]["seeds"] = count
    return content


def test_a_second_seed_adds_a_model_and_reruns_none(study: Checkout) -> None:
    study.configure(with_seeds(2))
    result = study.run("--dry-run")
    study.configure(short_config())
    jobs = jobs_in(result.stdout)
    once = ("model_trained", "known", "knowledge_neurons", "experiment_degeneracy", "make_explorer")
    assert {rule: jobs[rule] for rule in once} == dict.fromkeys(once, 1)
    assert jobs["attribution"] == 2, "the shards of the new model"
    assert "Training gpt2-short-s1 on the facts" in result.stdout
    assert "make_facts" not in jobs
    assert {rule for rule in jobs if rule.startswith("figure_")} == FIGURES, "all others draw first models"
    assert jobs.keys() >= {"make_seeds", "table_seeds", "make_complexity", "make_verdicts", "make_index", "make_report"}


def test_the_first_seeds_model_is_the_one_without_seeds(
    study: Checkout, new_checkout: Callable[[dict], Checkout]
) -> None:
    content = with_seeds(2)
    checkout = new_checkout({**content, "models": content["models"][:1]})
    assert checkout.run("models").returncode == 0
    places = [study.path / "results" / "gpt2-short"]
    places += [checkout.path / "results" / name for name in ("gpt2-short", "gpt2-short-s1")]
    alone, first, second = ((place / "model" / "model.safetensors").read_bytes() for place in places)
    assert alone == first != second


def test_the_replicates_have_five_seeds_of_either_model(new_checkout: Callable[[dict], Checkout]) -> None:
    checkout = new_checkout(yaml.safe_load(Path(ROOT / "config" / "replicates.yaml").read_text()))
    jobs = jobs_in(checkout.run("--dry-run").stdout)
    assert jobs["model_trained"] == jobs["make_explorer"] == 10
    assert jobs["make_seeds"] == 1
