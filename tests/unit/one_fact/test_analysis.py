"""The steps of one fact: what is drawn and kept, and a fact without neurons (their numbers: tests/integration)."""

from __future__ import annotations

import pandas as pd
import pytest

import dkn
from dkn.one_fact import analysis
from dkn.one_fact.answer import answer
from dkn.one_fact.screen import show
from dkn.study.config import Study
from tests.unit.one_fact.conftest import ANSWER, PROMPT


def test_no_step_is_computed_twice(model: dkn.Model, lenient: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = analysis.attribute
    monkeypatch.setattr(analysis, "attribute", lambda *given: calls.append(1) or original(*given))  # type: ignore[func-returns-value]
    fact = dkn.attribute(model, PROMPT, ANSWER, config=lenient)
    answer(fact)
    show(fact)
    assert calls == [1]


def test_the_id_keys_what_is_drawn(model: dkn.Model, lenient: Study) -> None:
    def drawn(fact_id: str, name: str) -> pd.DataFrame:
        fact = dkn.attribute(model, PROMPT, ANSWER, config=lenient, fact_id=fact_id)
        return fact.suppression[fact.suppression["neuron_set"] == name]["log_prob_after"].round(6).tolist()

    assert drawn("a", "random") == drawn("a", "random") != drawn("b", "random")
    assert drawn("a", "random-kn") != drawn("b", "random-kn")
    assert drawn("a", "dkn") == drawn("b", "dkn")


def test_sets_hold_what_their_names_say(fact: dkn.OneFact) -> None:
    sizes = fact.suppression.groupby("neuron_set")["neurons"].first()
    kn = len(fact.neurons)
    assert sizes["none"] == 0
    assert sizes["kn"] == sizes["random-kn"] == kn
    assert sizes["dkn"] == sizes["kn-matched"] == sizes["random"] == len(fact.dkn)
    assert len(fact.rest) == kn - len(fact.dkn) == sizes.get("kn-rest", 0)
    shared = fact.suppression.set_index("neuron_set")["shared"]
    assert shared["dkn"] == shared["kn"] == len(fact.dkn)
    assert (shared[["random"]] == 0).all()


def test_a_fact_without_neurons_is_answered_all_the_same(
    model: dkn.Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        analysis, "score_rows", lambda *_: pd.DataFrame(columns=["fact_id", "layer", "neuron", "score"])
    )
    fact = dkn.attribute(model, PROMPT, ANSWER)
    said = answer(fact)
    assert said["knowledge_neurons"] == said["components"] == said["suppression"] == said["subsets"] == []
    assert not said["degenerate"]
    assert '"facts":[]' in dkn.page(fact)
    show(fact)
    assert "0 in 0 of 2 layers" in capsys.readouterr().out
    dkn.plot(fact)
