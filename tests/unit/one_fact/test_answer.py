"""What is said of one fact for programs: plain JSON, with what made it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

import dkn
from dkn.one_fact.answer import answer, records_of, suppressed
from dkn.storage import schemas


def test_an_answer_is_json_and_comes_back(fact: dkn.OneFact) -> None:
    said = answer(fact)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["model"]["layers"] == 2
    assert said["base_degenerate_components"] == sum(one["kept"] for one in said["components"])


def test_the_lists_have_the_columns_of_the_studys_tables(fact: dkn.OneFact) -> None:
    said = answer(fact)
    for name, schema, own in (
        ("knowledge_neurons", schemas.KNOWLEDGE_NEURONS, {"fact_id"}),
        ("components", schemas.COMPONENTS, {"fact_id", "repeat"}),
        ("subsets", schemas.DEGENERACY, {"fact_id", "subject", "relation"}),
    ):
        assert said[name]
        assert all(set(one) == set(schema.names) - own for one in said[name])


def test_missing_and_infinite_numbers_are_null() -> None:
    table = pd.DataFrame(
        {"fact_id": ["a"], "nan": [np.nan], "inf": [np.inf], "list": [np.array([1, 2])], "yes": [True]}
    )
    assert records_of(table) == [{"nan": None, "inf": None, "list": [1, 2], "yes": True}]


def test_drops_are_shares_of_prob(fact: dkn.OneFact) -> None:
    rows = suppressed(fact)
    assert (rows["neurons"] > 0).all()
    np.testing.assert_allclose(rows["prob"], fact.prob * (1 - rows["drop"]), rtol=1e-4)


def test_the_record_names_settings_model_and_versions(fact: dkn.OneFact) -> None:
    record = answer(fact)["provenance"]
    assert record["stage"] == "ask"
    assert record["settings"]["functional_test"] == {"test": "absolute", "tau2": 0.0}
    assert record["settings"]["seed"] == 1
    assert record["inputs"] == {fact.model.name: fact.model.checksum}
    assert "torch" in record["versions"]
