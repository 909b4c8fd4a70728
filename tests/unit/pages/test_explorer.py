"""The explorer's data: every part against a small study made by hand, and how large its page becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from dkn.pages.explorer import Tables, explorer_data, fact_data, loss, model_description, neuron_columns
from dkn.pages.template import page, script_data
from dkn.storage.provenance import PACKAGE
from tests.unit.explorer_study import BEFORE, RANDOM, SETTINGS, WITHOUT, study
from tests.unit.merges import replayed

PAGES = PACKAGE / "pages"
LARGEST_PAGE, SHOWN = 10e6, 200  # bytes, facts


def facts_of(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {fact["id"]: fact for fact in data["facts"]}


# --- one fact -----------------------------------------------------------------------------------------------------


def test_the_filtration_of_the_fact_made_by_hand() -> None:
    found = facts_of(explorer_data(study(), SETTINGS))["clear"]["filtration"]
    assert found["radii"] == [1, 2, 3, 5]
    assert [step for _, _, step in found["merges"]] == [1, 2, 3, 4]
    assert [len(replayed(5, found["merges"], step)) for step in range(5)] == [5, 4, 3, 2, 1]
    assert (found["limit"], found["limitStep"], found["threshold"]) == (3, 3, 0.05)
    assert found["ruler"] == pytest.approx(3 * 0.95)
    assert found["components"] == [0, 1]
    assert found["slots"] == [0, 1, 0, 0]
    assert found["bars"] == [[2, 3, 2, 1, ""], [1, 3, 2, 0, ""]]
    assert found["loops"] == [[2.5, None], [2, 2.2]]
    assert (found["living"], found["allLoops"]) == (2, 2)


def test_clusters_of_the_released_code_are_bars_that_end_together() -> None:
    """Of the edges 1, 2, 3, 5 and 6 below the quantile the first two join; the neurons are born at 1, 2, 1, 2 and 0."""
    tables, ntc = study(), replace(SETTINGS.ntc, persistence="ratio", quantile=0.9, clustering="short-edges")
    tables = replace(tables, components=tables.components.assign(death=6.0))
    data = explorer_data(tables, replace(SETTINGS, ntc=ntc))
    found = facts_of(data)["clear"]["filtration"]
    assert found["radii"] == [1, 2, 3, 5]
    assert (found["limit"], found["limitStep"]) == (6, 2)
    assert (found["threshold"], found["ruler"]) == (1, 5)
    assert found["bars"] == [[2, 6, 2, 1, ""], [1, 6, 2, 0, ""]]
    assert found["components"] == [0, 1]
    assert (found["loops"], found["allLoops"]) == ([], 0)
    assert data["settings"]["clustering"] == "short-edges"
    assert data["settings"]["persistence"] == "difference", "its axis is not logarithmic"


def test_without_a_short_edge_there_is_no_bar_and_the_page_goes_on() -> None:
    tables = study()
    one = tables.distances[tables.distances["distance"] == 1]
    ntc = replace(SETTINGS.ntc, clustering="short-edges")
    data = explorer_data(
        replace(tables, distances=one, components=tables.components.iloc[:0]), replace(SETTINGS, ntc=ntc)
    )
    found = facts_of(data)["clear"]["filtration"]
    assert (found["bars"], found["limitStep"], found["limit"], found["threshold"]) == ([], 0, 1, 0)


def test_a_lone_candidate_that_is_left_out_says_so() -> None:
    tables = study()
    lone = tables.components[tables.components["component"] == 0].assign(kept=False)
    settings = replace(SETTINGS, test="compensation", tau2=0.05, lone="left-out")
    of_lone, of_two = (
        facts_of(explorer_data(replace(tables, components=components), settings))["clear"]["components"]
        for components in (lone, tables.components)
    )
    assert [row["verdict"] for row in of_lone] == ["it is the fact's only candidate, and of such facts none is kept"]
    assert of_two[0]["verdict"] == "suppressed alone, it lowers Prob by 10 %; less than 5 % is required"


def test_the_ruler_is_as_long_as_persistence_must_be() -> None:
    ratio = replace(SETTINGS, ntc=replace(SETTINGS.ntc, persistence="ratio", tau1=np.log(2)))
    assert facts_of(explorer_data(study(), ratio))["clear"]["filtration"]["ruler"] == pytest.approx(1.5)


def test_components_come_with_their_verdicts_base_degenerate_ones_first() -> None:
    facts = facts_of(explorer_data(study(), SETTINGS))
    first, second = facts["clear"]["components"]
    assert (first["name"], first["places"], first["kept"]) == ("BDC 1", [0, 2], True)
    assert (first["birth"], first["death"], first["persistence"], first["alone"]) == (1, 3, 0.666667, 0.4)
    assert first["verdict"] == "alone it brings back 33.33 % of the loss; more than 10 % is required"
    said = "Suppressing all knowledge neurons lowers Prob from 80 % to 20 %: the loss is 75 % of Prob."
    assert facts["clear"]["loss"] == said
    assert second["name"] == "BDC 2"
    assert [part["name"] for part in facts["plain"]["components"]] == ["BDC 1", "failed 1"]
    assert [part["places"] for part in facts["plain"]["components"]] == [[1, 3], [0, 2]]
    assert facts["plain"]["filtration"]["components"] == [1, 0]
    absolute = replace(SETTINGS, test="absolute", tau2=0.5)
    (verdict, _) = (part["verdict"] for part in facts_of(explorer_data(study(), absolute))["clear"]["components"])
    assert verdict == "with it alone Prob is 40 %; more than 50 % is required"
    compensation = replace(SETTINGS, test="compensation", tau2=0.07)
    (verdict, _) = (part["verdict"] for part in facts_of(explorer_data(study(), compensation))["clear"]["components"])
    assert verdict == "suppressed alone, it lowers Prob by 10 %; less than 7 % is required"


def test_the_loss_says_where_there_is_none() -> None:
    tables = study()
    tables.components["prob_all_suppressed"] = 0.9
    assert facts_of(explorer_data(tables, SETTINGS))["clear"]["loss"].endswith("from 80 % to 90 %: there is no loss.")
    assert loss(tables.components.iloc[:0]) == ""


def test_an_undefined_recovery_says_why() -> None:
    tables = study()
    tables.components["recovery"] = np.nan
    part = facts_of(explorer_data(tables, SETTINGS))["clear"]["components"][0]
    assert part["verdict"].startswith("suppressing all knowledge neurons does not lower Prob")


def test_suppressions_are_the_records_beside_random_sets_of_the_same_size() -> None:
    found = facts_of(explorer_data(study(), SETTINGS))["clear"]["suppression"]
    assert found["before"] == BEFORE
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["BDC 1", "BDC 2", "all BDCs", "all KNs"]
    assert [rows[name]["neurons"] for name in rows] == [2, 2, 4, 5]
    assert [rows[name]["prob"] for name in rows] == pytest.approx([*WITHOUT, 0.4, 0.2])
    assert [rows[name]["drop"] for name in rows] == pytest.approx([10, 5, 50, 75])
    assert rows["all BDCs"]["nats"] == pytest.approx(np.log(2), rel=1e-5)
    for name, subset in (("BDC 1", (0,)), ("BDC 2", (1,)), ("all BDCs", (0, 1))):
        assert [draw["prob"] for draw in rows[name]["random"]] == pytest.approx(RANDOM[subset])
    assert not rows["all KNs"]["random"]


def test_a_fact_with_one_bdc_shows_it_without_random_sets() -> None:
    rows = facts_of(explorer_data(study(), SETTINGS))["plain"]["suppression"]["rows"]
    assert [(row["name"], row["prob"], row["random"]) for row in rows] == [
        ("BDC 1", WITHOUT[1], []),
        ("all KNs", 0.2, []),
    ]


def test_a_fact_without_distances_has_neurons_only() -> None:
    found = facts_of(explorer_data(study(), SETTINGS))["alone"]
    assert found["neurons"]["neuron"] == [1, 2]
    assert (found["components"], found["filtration"], found["suppression"]) == ([], None, None)


def test_neurons_of_a_layer_stand_beside_each_other_by_number() -> None:
    neurons = study().neurons
    found = neuron_columns(neurons[neurons["fact_id"] == "clear"].sample(frac=1, random_state=0))
    assert (found["layer"], found["neuron"]) == ([0, 0, 1, 1, 2], [8, 7, 5, 6, 3])
    assert found["across"] == pytest.approx([0.2, -0.2, 0.8, 1.2, 2])
    assert found["share"] == pytest.approx([0.5, 0.25, 1, 0.25, 0.75])


def test_a_prob_of_zero_is_no_number_of_the_page() -> None:
    tables = study()
    tables.components["prob_all_suppressed"] = 0.0
    row = facts_of(explorer_data(tables, SETTINGS))["clear"]["suppression"]["rows"][-1]
    assert (row["prob"], row["drop"], row["nats"]) == (0, 100, None)


# --- all facts ----------------------------------------------------------------------------------------------------


def test_facts_come_by_subject_with_their_counts() -> None:
    data = explorer_data(study(), SETTINGS)
    assert [fact["id"] for fact in data["facts"]] == ["plain", "clear", "alone"]
    assert data["counts"] == {
        "shown": 3,
        "degenerateShown": 1,
        "attributed": 3,
        "degenerate": 1,
        "facts": 4,
        "seed": 0,
    }
    assert data["layers"] == 3


def test_the_order_of_rows_does_not_matter() -> None:
    tables = study()
    mixed = Tables(**{name: frame.sample(frac=1, random_state=1) for name, frame in vars(tables).items()})
    assert explorer_data(mixed, SETTINGS) == explorer_data(tables, SETTINGS)


def test_a_nano_model_is_called_one() -> None:
    made = {"layers": 8, "width": 96, "architecture": "gpt2"}
    text = model_description("gpt2-nano", {"stage": "model-trained", "settings": made}, 1291200)
    assert "nano model" in text
    assert "1,291,200" in text
    text = model_description("gpt2", {"stage": "model-hub", "settings": {}}, 124439808)
    assert text == "gpt2 is a pretrained model of 124,439,808 parameters."


# --- the page -----------------------------------------------------------------------------------------------------


def large_fact(neurons: int = 140) -> Tables:
    """A fact larger than any of the default study: all neurons of adjacent layers at a finite distance."""
    tables, draw = study(), np.random.default_rng(0)
    layer = np.sort(draw.integers(0, 8, neurons))
    first, second = np.nonzero(layer[:, None] + 1 == layer)
    components = pd.concat([tables.components.iloc[:1]] * 12)
    pairs = {"fact_id": "clear", "first": first, "second": second, "distance": draw.random(len(first)) + 1}
    members = {"fact_id": "clear", "place": range(neurons), "layer": layer, "neuron": draw.permutation(neurons)}
    loops = {"fact_id": "clear", "dimension": 1, "birth": draw.random(50), "death": draw.random(50) + 1}
    distances = pd.DataFrame(pairs)
    one = replace(
        tables,
        facts=tables.facts.iloc[:1],
        neurons=pd.DataFrame(members).assign(score=draw.random(neurons)),
        distances=distances,
        diagrams=pd.DataFrame(loops),
        records=tables.records[tables.records["fact_id"] == "clear"],
    )
    closest = distances.loc[distances["distance"].idxmin(), ["first", "second"]].to_numpy(dtype=int)
    places = [closest] * 12
    return replace(one, components=components.assign(component=range(12), places=places))


def test_a_page_of_large_facts_stays_small() -> None:
    files = [(PAGES / f"explorer{suffix}").read_text() for suffix in (".html", ".css", ".js")]
    around = page(files[0], "model", files[1], get_plotlyjs(), files[2], {})
    fact = fact_data(large_fact(), SETTINGS)
    assert len(fact["filtration"]["merges"]) > 100
    size = len(script_data(fact).encode())
    assert len(around.encode()) + SHOWN * size < LARGEST_PAGE


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    """What its own files hold; the browser's tests see to the rest."""
    files = list(PAGES.glob("explorer.*"))
    assert {path.suffix for path in files} >= {".html", ".css", ".js"}
    for path in files:
        assert "://" not in path.read_text()
