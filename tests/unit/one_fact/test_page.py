"""The explorer's page of one fact: its data are those of the fact. tests/browser opens such pages."""

from __future__ import annotations

import json
import re

import dkn


def data_of(page: str) -> dict:
    """The data in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_holds_the_one_fact(fact: dkn.OneFact) -> None:
    text = dkn.page(fact)
    data = data_of(text)
    (shown,) = data["facts"]
    assert (shown["prompt"], shown["answer"]) == (fact.fact["prompt"], fact.fact["answer"])
    assert len(shown["neurons"]["layer"]) == len(fact.neurons)
    assert sum(part["kept"] for part in shown["components"]) == fact.components["kept"].sum()
    names = [row["name"] for row in shown["suppression"]["rows"]]
    assert names[-2:] == ["all BDCs", "all KNs"]
    assert data["provenance"]["stage"] == "ask"
    assert "https://" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
