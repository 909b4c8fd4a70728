"""Fine-tuning within an audit: learning rates are chosen once, and equal trainings are not repeated."""

from __future__ import annotations

from typing import Any

import pytest

from dkn.audit import tuning
from dkn.audit.steps import Steps
from dkn.audit.tuning import Teacher
from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel
from dkn.neurons.sets import NeuronSet
from dkn.storage.schemas import CHANGES, FINE_TUNING
from dkn.study.names import ALL, DKN, KN, RANDOM
from dkn.study.protocol import SWITCHES, applied
from tests.unit.audit_study import settings, study_facts
from tests.unit.neuron_sets import random_set

NAMES = (DKN, KN, RANDOM, ALL)
COLUMNS = ["neuron_set", "draw", "split", "fact_id", "wording", "epoch", "learning_rate", "correct", "log_prob"]


class Taught:
    """A teacher of one model, and the trainings that it runs: the set and the learning rates that are tried."""

    def __init__(self, adapter: Adapter, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        facts = study_facts(adapter, tokenizer)
        known = facts.index[facts["known"]]
        self.members = {name: random_set(adapter, 6, number) for number, name in enumerate(known)}
        self.dkns = {name: members.take([0, 2, 4]) for name, members in self.members.items()}
        self.teacher = Teacher(LanguageModel(adapter, tokenizer), facts, settings())
        self.run: list[tuple[str, list[float]]] = []
        tune_sets = tuning.tune_sets

        def counted(exam: Any, names: tuple[str, ...], plan: Any, *arguments: Any) -> Any:
            self.run.append((names[0], sorted(plan.grid.rates)))
            return tune_sets(exam, names, plan, *arguments)

        monkeypatch.setattr(tuning, "tune_sets", counted)

    def __call__(self, *switches: str, dkns: dict[str, NeuronSet] | None = None, names: tuple[str, ...] = NAMES) -> Any:
        """Teach in a state; what was trained before is forgotten."""
        self.run.clear()

        def choice(name: str, stated: Any, state: frozenset[str]) -> Any:
            return applied(name, stated, state)

        return self.teacher.taught(names, self.members, dkns or self.dkns, choice, frozenset(switches))


GPT2 = pytest.mark.parametrize("adapter", ["gpt2"], indirect=True)  # models with a gate have no such switches


@pytest.fixture
def taught(adapter: Adapter, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Taught:
    return Taught(adapter, tokenizer, monkeypatch)


GRID = settings().experiments.fine_tuning.learning_rates


@GPT2
def test_rates_are_chosen_once_and_equal_trainings_are_not_repeated(taught: Taught) -> None:
    first = taught()
    assert taught.run == [(name, GRID) for name in NAMES]
    assert set(first.records.groupby(["neuron_set", "draw"]).groups) == {
        (name, draw) for name in NAMES for draw in (0, 1)
    }
    assert taught().records.equals(first.records)
    assert taught.run == []
    others = {name: members.take([1, 3]) for name, members in taught.members.items()}
    second = taught(dkns=others)
    assert taught.run == [(name, [taught.teacher.rates[name, ("vectors", 1)]]) for name in (DKN, RANDOM)]
    of_all = [records.records[records.records["neuron_set"].isin((KN, ALL))] for records in (first, second)]
    assert of_all[0].equals(of_all[1])
    assert taught.teacher.rates[ALL, (1,)] in GRID


@GPT2
def test_other_questions_are_trained_anew_at_the_chosen_rates(taught: Taught) -> None:
    taught(names=(DKN, ALL))
    fewer = dict(list(taught.dkns.items())[:-3])
    taught(names=(DKN, ALL), dkns=fewer)
    assert [name for name, _ in taught.run] == [DKN, ALL]
    assert all(len(rates) == 1 for _, rates in taught.run)


@GPT2
def test_two_steps_have_a_rate_of_their_own(taught: Taught) -> None:
    taught(names=(DKN, ALL))
    taught("steps", names=(DKN, ALL))
    assert taught.run == [(DKN, GRID), (ALL, GRID)]
    assert set(taught.teacher.rates) == {(DKN, ("vectors", 1)), (ALL, (1,)), (DKN, ("vectors", 2)), (ALL, (2,))}


@GPT2
def test_where_all_names_train_d_one_training_serves_them(taught: Taught) -> None:
    named = taught()
    found = taught("tuned_sets")
    assert taught.run == []
    own = found.records[found.records["neuron_set"] == DKN]
    for name in (KN, RANDOM):
        other = found.records[found.records["neuron_set"] == name]
        assert other[COLUMNS[1:]].reset_index(drop=True).equals(own[COLUMNS[1:]].reset_index(drop=True))
        assert not other.equals(named.records[named.records["neuron_set"] == name])
    assert found.records[found.records["neuron_set"] == ALL].equals(named.records[named.records["neuron_set"] == ALL])


@GPT2
def test_the_changes_are_those_of_training_everything(taught: Taught) -> None:
    found = taught()
    adapter = taught.teacher.model.adapter
    assert set(found.changes["neuron_set"]) == {ALL}
    assert len(found.changes) == 2 * adapter.n_layers * adapter.n_neurons
    assert set(found.changes.columns) == set(CHANGES.names)
    assert set(found.records.columns) == set(FINE_TUNING.names)
    assert len(found.new_facts) == 4
    assert set(found.new_facts) == set(found.records.loc[found.records["split"] == "new", "fact_id"])


@GPT2
def test_with_few_new_facts_nothing_is_trained(taught: Taught) -> None:
    few = dict(list(taught.dkns.items())[:3])
    found = taught(dkns=few)
    assert taught.run == []
    assert (list(found.records), list(found.changes)) == (FINE_TUNING.names, CHANGES.names)
    assert found.records.empty
    assert found.changes.empty
    assert set(found.new_facts) < set(few)


@GPT2
def test_the_overlap_of_few_new_facts_is_empty(adapter: Adapter, tokenizer: Any) -> None:
    facts = study_facts(adapter, tokenizer)
    steps = Steps(LanguageModel(adapter, tokenizer), facts[facts["subject"] == facts["subject"].iloc[0]], settings(), 4)
    assert steps.get("tuning", frozenset()).records.empty
    assert steps.get("overlap", frozenset()).empty


def test_the_switches_of_fine_tuning_are_all_seen_here() -> None:
    own = {name for name, switch in SWITCHES.items() if {"tuning", "plan"} & set(switch.changes)}
    assert own == {"trained", "steps", "tuned_sets"}
