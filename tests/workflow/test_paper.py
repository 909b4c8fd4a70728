"""The paper's study in miniature: config/paper.yaml itself, a local server in place of the hub and TempLAMA's host.

Two tiny models of the paper's two families, trained on made-up lines in TempLAMA's format, come from the stand-in hub
under the names and revisions that config/paper.yaml pins; LLaMA's is gated.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.models.nano import TrainingSettings, train
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import FACTS, KNOWN
from dkn.study.estimates import STAGES
from dkn.study.registry import of_study
from tests.short_study import ROOT, Checkout, jobs_in

from .hub import TOKEN, Served, serving

PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
NAMES = [model["name"] for model in PAPER["models"]]
PARTS = ("train", "val", "test")
CLUBS = ("Alder Rovers", "Birch United", "Cedar Town", "Dogwood City")
PARTIES = ("Harbour Party", "Meadow Party", "Summit Party")


def line(query: str, answer: str, number: int, relation: str, year: int) -> str:
    """One query as TempLAMA writes it."""
    entity = {"wikidata_id": f"Q{900000000 + sum(map(ord, answer))}", "name": answer}
    content = {
        "query": query,
        "answer": [entity],
        "date": str(year),
        "id": f"Q{910000000 + number}_{relation}_{year}",
        "most_frequent_answer": entity,
        "most_recent_answer": entity,
        "relation": relation,
    }
    return json.dumps(content)


def templama() -> dict[str, bytes]:
    """Thirty lines about fifteen invented people, in three files."""
    lines = []
    for number in range(15):
        name = f"{('Ada', 'Bela', 'Cleo', 'Dora', 'Edda')[number % 5]} {('Quill', 'Rowan', 'Sorrel')[number // 5]}"
        for year in (2012, 2013):
            if number % 2:
                lines.append(line(f"{name} plays for _X_.", CLUBS[number % 4], number, "P54", year))
            else:
                lines.append(line(f"{name} is a member of the _X_.", PARTIES[number % 3], number, "P102", year))
    assert len(lines) == 30
    return {f"/{part}.json": "\n".join(lines[place::3]).encode() for place, part in enumerate(PARTS)}


def train_models(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    """A tiny model of either family that knows the lines, as ``save_pretrained`` leaves it."""
    sources = []
    for name, content in files.items():
        (folder / name.strip("/")).write_bytes(content)
        sources.append(FactsSource(str(folder / name.strip("/"))))
    facts, _ = read_facts(sources, read_templates([ROOT / "resources" / "facts" / "templates.yaml"]), 0)
    places = {}
    for name, architecture in zip(NAMES, ("gpt2", "llama"), strict=True):
        settings = TrainingSettings(architecture, 4, 32, 4, 4, 64, 500, 0.0, 60, 8, 0.01, 0.01, 0.0, 0.5)
        model, tokenizer, _ = train(facts, settings, seed=0)
        places[name] = folder / name
        model.to(torch.float16 if architecture == "llama" else torch.float32).save_pretrained(places[name])
        tokenizer.save_pretrained(places[name])
    return places


@dataclass(frozen=True)
class Miniature:
    """A checkout whose models and facts come from a local server."""

    checkout: Checkout
    served: Served
    address: str

    def run(self, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        """``snakemake … --configfile config/paper.yaml short.yaml``, with no way to anything but the server."""
        path = self.checkout.path
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment = {
            **kept,
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1"),
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(path / "hf"),
            **({} if token is None else {"HF_TOKEN": token}),
        }
        command = self.checkout.command(*arguments)
        command.insert(command.index("--configfile") + 1, "config/paper.yaml")
        return subprocess.run(
            command,
            cwd=path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
            check=False,
        )


@pytest.fixture(scope="module")
def miniature(
    new_checkout: Callable[[dict], Checkout], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Miniature]:
    """Everything is served; nothing has run yet."""
    files = templama()
    folders = train_models(tmp_path_factory.mktemp("trained"), files)
    repositories = {
        model["repo"]: (folders[model["name"]], model["revision"], "llama" in model["name"])
        for model in PAPER["models"]
    }
    served = Served(repositories, files)
    with serving(served) as address:
        differing = {
            "facts": {"sources": [{"url": f"{address}/{part}.json"} for part in PARTS]},
            "minimum_known": 10,
            "attribution": {"shards": 1},
            "experiments": {"fine_tuning": {"minimum": 4, "epochs": 2, "draws": 2}},
            "statistics": {"resamples": 200},
        }
        yield Miniature(new_checkout(differing), served, address)


def test_the_graph_needs_no_network(miniature: Miniature, monkeypatch: pytest.MonkeyPatch) -> None:
    """config/paper.yaml as it ships, all addresses out of reach."""
    start = time.monotonic()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    command = miniature.checkout.command("--dry-run")[:-1]
    result = subprocess.run(
        [*command, "config/paper.yaml"],
        cwd=miniature.checkout.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    jobs = jobs_in(result.stdout)
    assert jobs["model_hub"] == len(NAMES)
    assert jobs["attribution"] == len(NAMES) * PAPER["attribution"]["shards"]
    assert time.monotonic() - start < 60


def test_the_estimate_needs_no_network_either(miniature: Miniature) -> None:
    asked = len(miniature.served.requests)
    result = miniature.run("estimate", token=None)
    assert result.returncode == 0, result.stdout
    assert "| llama2-7b | attribution |" in result.stdout
    assert "on each of 2 GPUs) |" in result.stdout
    assert len(miniature.served.requests) == asked


def test_a_gated_model_without_a_token_ends_before_the_first_job(miniature: Miniature) -> None:
    result = miniature.run(token=None)
    assert result.returncode == 1
    (error,) = [text for text in result.stdout.splitlines() if text.startswith("error: ")]
    assert all(part in error for part in ("llama2-7b", "gated", "HF_TOKEN", "huggingface.co/meta-llama/Llama-2-7b-hf"))
    assert not (miniature.checkout.path / "results" / "paper" / "facts").exists()


@pytest.fixture(scope="module")
def finished(miniature: Miniature) -> Path:
    """The results of all experiments, the verdicts, and the paper's numbers beside the study's."""
    result = miniature.run("experiments", "verdicts", "reported")
    assert result.returncode == 0, result.stdout[-4000:]
    return miniature.checkout.path / "results" / "paper"


def test_every_experiment_ran_on_models_of_the_pinned_revisions(finished: Path) -> None:
    for model in PAPER["models"]:
        folder = finished / model["name"]
        stated = read_json(folder / "model" / "provenance.json")["settings"]
        assert stated == {"repo": model["repo"], "revision": model["revision"], "commit": model["revision"]}
        known = read_table(folder / "known.parquet", KNOWN)
        assert len(known) == 30
        assert known["known"].sum() >= 10
        for experiment in of_study(["ntc", "dbscan", "hierarchical", "kmeans", "amig"]):
            summary = read_json(folder / "experiments" / experiment / "summary.json")
            assert (summary["model"], summary["experiment"]) == (model["name"], experiment)
    assert {row["model"] for row in read_json(finished / "verdicts.json")["verdicts"]} == {*NAMES, None}
    named = pd.read_csv(finished / "figures" / "reported.csv")["model"]
    assert set(named) > set(NAMES), "beside the paper's own names of the models"


def test_facts_are_held_to_their_first_download(finished: Path, miniature: Miniature) -> None:
    """The same lines again are fine; other ones end the run, and the facts that were there stay."""
    facts = read_table(finished / "facts" / "facts.parquet", FACTS)
    assert sorted(facts["source"].unique()) == [f"{part}.json" for part in sorted(PARTS)]
    recorded = read_json(finished / "facts" / "downloads.json")
    assert set(recorded) == {f"{miniature.address}/{part}.json" for part in PARTS}
    original = miniature.served.files["/val.json"]
    try:
        miniature.served.files["/val.json"] = original + b"\n"
        result = miniature.run("--forcerun", "make_facts", "--until", "make_facts")
    finally:
        miniature.served.files["/val.json"] = original
    assert result.returncode != 0
    assert f"{miniature.address}/val.json: sha256 is " in result.stdout
    assert "as first downloaded" in result.stdout
    assert read_json(finished / "facts" / "downloads.json") == recorded
    again = miniature.run("--forcerun", "make_facts", "--until", "make_facts")
    assert again.returncode == 0, again.stdout[-3000:]


def test_the_estimate_of_the_finished_study_shows_what_was_measured(finished: Path, miniature: Miniature) -> None:
    result = miniature.run("estimate")
    assert result.returncode == 0, result.stdout
    rows = [text.split(" | ") for text in result.stdout.splitlines() if text.startswith(("| gpt2 |", "| llama2-7b |"))]
    stages = [row for row in rows if row[1] in (*STAGES, "all")]
    assert len(stages) == 2 * (len(STAGES) + 1)
    assert all(row[-1] != "- |" for row in stages)
