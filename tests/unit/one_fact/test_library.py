"""The library by name: its calls, what they return, and mistakes in their arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dkn
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NeuronSet
from tests.unit.one_fact.conftest import ANSWER, PROMPT
from tests.unit.one_line import line_of


def test_a_loaded_model_is_said_what_it_is(model: dkn.Model, saved: Path) -> None:
    assert model.name == saved.name
    assert model.parameters == sum(one.numel() for one in model.language_model.adapter.model.parameters())
    assert (model.record["stage"], model.dtype) == ("model-folder", "float32")


def test_neurons_and_components_are_of_the_fact(fact: dkn.OneFact) -> None:
    neurons, components = dkn.knowledge_neurons(fact), dkn.components(fact)
    assert list(neurons) == ["place", "layer", "neuron", "score"]
    assert neurons["score"].max() == pytest.approx(fact.scores["score"].max())
    assert {place for places in components["places"] for place in places} <= set(neurons["place"])
    assert 0 < fact.prob < 1


@pytest.mark.parametrize("name", ["dkn", "kn", "kn-rest"])
def test_named_neurons_are_those_of_the_screen(name: str, fact: dkn.OneFact) -> None:
    record = fact.suppression[fact.suppression["neuron_set"] == name]
    found = dkn.suppress(fact, name)
    assert found.neurons == (record["neurons"].iloc[0] if len(record) else 0)
    expected = np.exp(record["log_prob_after"].iloc[0]) if len(record) else fact.prob
    assert found.prob == pytest.approx(expected, rel=1e-5)


def test_any_neurons_can_be_suppressed(fact: dkn.OneFact) -> None:
    pairs = [(0, 3), (1, 5), (1, 0)]
    table = pd.DataFrame(pairs, columns=["layer", "neuron"]).assign(score=1.0)
    chosen = NeuronSet(np.array([0, 1, 1]), np.array([3, 5, 0]))
    encoded = fact._asking.encoded(fact.model.language_model, fact.frame)
    (log_probs,) = answer_log_probs(fact.model.language_model.adapter, encoded, [[chosen]])
    expected = float(np.exp(log_probs.sum()))
    for given in (pairs, table):
        found = dkn.suppress(fact, given)
        assert found.prob == pytest.approx(expected, rel=1e-6)
        assert found.drop == pytest.approx(1 - found.prob / found.prob_before)
    assert dkn.suppress(fact, []).drop == 0


@pytest.mark.parametrize(
    ("neurons", "said"),
    [
        ("all", "unknown neuron set 'all'; allowed: dkn, kn, kn-rest"),
        ([(2, 0)], "has no neuron 0 of layer 2; layers go from 0 to 1, neurons from 0 to 63"),
        ([(0, 64)], "has no neuron 64 of layer 0"),
        ([(-1, 0)], "has no neuron 0 of layer -1"),
        ([(0, 1), (0, 1)], "a neuron is named twice"),
    ],
)
def test_neurons_that_are_not_there_are_one_line(neurons: object, said: str, fact: dkn.OneFact) -> None:
    with pytest.raises(dkn.UserError) as caught:
        dkn.suppress(fact, neurons)  # type: ignore[arg-type]
    assert said in line_of(caught)


def test_the_first_answer_that_the_model_gives_stands_for_the_fact(model: dkn.Model) -> None:
    """As in a study; without one it is the first of all."""
    assert dkn.ask(model, PROMPT, "Rome", ANSWER)["answer"] == "Rome"
    said = dkn.ask(model, f" {PROMPT}\n", f" {ANSWER} ", "Rome")
    assert (said["prompt"], said["answers"], said["answer"]) == (PROMPT, [ANSWER, "Rome"], ANSWER)


@pytest.mark.parametrize(
    ("prompt", "answers", "said"),
    [
        ("", [ANSWER], "the prompt '': empty"),
        (" ", [ANSWER], "the prompt ' ': empty"),
        (PROMPT, [], "a fact needs an answer"),
        (PROMPT, [""], "the answer '': empty"),
        (PROMPT, ["Pa\0ris"], "the answer 'Pa\\x00ris': the character U+0000 is not text"),
        ("the capital " * 20, [ANSWER], "tokens exceed the model's context of 32"),
    ],
)
def test_what_cannot_be_asked_is_one_line(prompt: str, answers: list[str], said: str, model: dkn.Model) -> None:
    with pytest.raises(dkn.UserError) as caught:
        dkn.attribute(model, prompt, *answers)
    assert said in line_of(caught)
    assert "fact asked" not in line_of(caught)


def test_an_answer_that_is_no_continuation_is_one_line(model: dkn.Model) -> None:
    """A tokenizer may make one token of the end of the prompt and the start of the answer."""

    def joining(text: str) -> dict[str, list[int]]:
        return {"input_ids": [len(text)]}

    tokenizer: Any = joining
    joined = replace(model, language_model=replace(model.language_model, tokenizer=tokenizer))
    with pytest.raises(dkn.UserError) as caught:
        dkn.attribute(joined, PROMPT, ANSWER)
    assert line_of(caught) == f"the tokenizer joins the end of {PROMPT!r} with the answer {ANSWER!r}"
