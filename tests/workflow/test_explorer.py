"""The explorer's pages of a whole study hold what its tables hold."""

from __future__ import annotations

import json
import re

import pytest

from dkn.storage.files import read_table
from dkn.storage.schemas import COMPONENTS, KNOWLEDGE_NEURONS
from tests.short_study import Checkout


@pytest.mark.parametrize("model", ["gpt2-short", "llama-short"])
def test_a_page_shows_the_facts_and_components_of_its_model(study: Checkout, model: str) -> None:
    folder = study.path / "results" / model
    text = (folder / "explorer.html").read_text()
    assert "{{" not in text.partition("<body>")[0]
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    data = json.loads(found[1])
    neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS).groupby("fact_id").size()
    components = read_table(folder / "components" / "ntc.parquet", COMPONENTS).groupby("fact_id")
    assert data["counts"]["attributed"] == len(neurons)
    assert len(data["facts"]) == min(200, len(neurons))
    for fact in data["facts"]:
        assert len(fact["neurons"]["layer"]) == neurons[fact["id"]]
        kept = sorted(tuple(part["places"]) for part in fact["components"] if part["kept"])
        group = components.get_group(fact["id"]) if fact["id"] in components.groups else None
        assert kept == ([] if group is None else sorted(tuple(places) for places in group.loc[group["kept"], "places"]))
    assert "nano model" in data["model"]["description"]
    assert data["provenance"]["stage"] == "explorer"
