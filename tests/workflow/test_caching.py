"""Two studies with one cache: the second, with other names and places, attributes nothing; edited code does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from safetensors.torch import load_file, save_file

from dkn.storage.files import read_table
from dkn.storage.schemas import SCORES
from tests.short_study import Checkout, short_config

SHARDS = ("1-of-2", "2-of-2")


@pytest.fixture(scope="module")
def first(new_checkout: Callable[[dict], Checkout], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A study of one short model, as far as its attributions, that fills a cache."""
    content = short_config(("gpt2",))
    content |= {"results": "first", "cache": str(tmp_path_factory.mktemp("shared") / "cache")}
    checkout = new_checkout(content)
    attribute(checkout, content)
    return checkout


def targets(content: dict[str, Any]) -> list[str]:
    """The shards of a study's one model."""
    return [f"{content['results']}/{content['models'][0]['name']}/attribution/{shard}.parquet" for shard in SHARDS]


def attribute(checkout: Checkout, content: dict[str, Any]) -> list[str]:
    """Make the shards of a study's one model; their logs."""
    checkout.configure(content)
    result = checkout.run(*targets(content))
    assert result.returncode == 0, result.stdout[-4000:]
    logs = checkout.path / content["results"] / "logs" / content["models"][0]["name"] / "attribution"
    return [(logs / f"{shard}.log").read_text() for shard in SHARDS]


def cache_of(checkout: Checkout, content: dict[str, Any]) -> set[str]:
    """The keys in a study's cache."""
    return {path.parent.name for path in Path(content["cache"]).glob("attribution/*/content.json")}


def another(checkout: Checkout, results: str) -> dict[str, Any]:
    """A study of the model that the first has trained, under another name and in other results."""
    content = yaml.safe_load((checkout.path / "short.yaml").read_text())
    model = {"name": f"model-of-{results}", "source": "folder", "path": "first/gpt2-short/model"}
    return {**content, "results": results, "models": [model]}


def test_studies_share_what_is_equal_and_nothing_else(first: Checkout) -> None:
    second = another(first, "second")
    kept = cache_of(first, second)
    assert len(kept) == len(SHARDS)
    assert all("facts taken from the cache" in log for log in attribute(first, second))
    assert cache_of(first, second) == kept
    for shard in SHARDS:
        own, others = (
            first.path / study / model / "attribution" / f"{shard}.parquet"
            for study, model in (("second", "model-of-second"), ("first", "gpt2-short"))
        )
        assert read_table(own, SCORES).equals(read_table(others, SCORES))
        inputs = json.loads(pq.read_schema(own).metadata[b"provenance"])["inputs"]
        assert "second/model-of-second/model" in inputs

    assert "attribution" not in first.planned(*targets(second)), "nothing to do"
    first.configure({**second, "cache": None})
    assert "attribution" not in first.planned(*targets(second)), "turning the cache off reruns nothing"

    module = first.path / "workflow" / "dkn" / "attribution" / "quadrature.py"
    module.write_text(module.read_text() + "\n# an edit\n")
    third = another(first, "third") | {"cache": second["cache"]}
    assert not any("facts taken from the cache" in log for log in attribute(first, third))
    assert len(cache_of(first, third) - kept) == len(SHARDS)


def test_weights_replaced_behind_a_folder_start_the_study_anew(first: Checkout) -> None:
    content = another(first, "fourth")
    content["models"][0]["path"] = "local"
    shutil.copytree(first.path / "first" / "gpt2-short" / "model", first.path / "local")
    first.configure(content)
    known = f"fourth/{content['models'][0]['name']}/known.parquet"
    assert first.run(known).returncode == 0
    (first.path / "local" / "README.md").write_text("no part of the model")
    assert first.planned(known) == set()

    weights = first.path / "local" / "model.safetensors"
    save_file({name: 1.001 * tensor for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    assert first.planned(known) == {"model_folder", "known"}
    assert first.run(known).returncode == 0
    assert first.planned(known) == set()
