"""The facts that the explorer shows, and that their rows alone give the page."""

from __future__ import annotations

from dataclasses import replace

from dkn.pages.choice import Choice, choose_facts
from dkn.pages.explorer import Tables, explorer_data
from tests.unit.explorer_study import SETTINGS, study


def test_the_sample_is_half_degenerate_and_seeded() -> None:
    facts = [f"f{number}" for number in range(100)]
    degenerate = set(facts[:60])

    def shares(chosen: list[str]) -> tuple[int, int]:
        assert len(set(chosen)) == len(chosen)
        return len(degenerate.intersection(chosen)), len(chosen)

    chosen = choose_facts(facts, degenerate, 21, 0)
    assert shares(chosen) == (11, 21)
    assert choose_facts(facts[::-1], degenerate, 21, 0) == chosen
    assert choose_facts(facts, degenerate, 21, 1) != chosen
    assert set(chosen) < set(choose_facts(facts, degenerate, 51, 0))
    assert shares(choose_facts(facts, degenerate, 90, 0)) == (50, 90)
    few = choose_facts(facts, facts[:4], 20, 0)
    assert len(few) == 20
    assert set(facts[:4]) < set(few)
    assert choose_facts(facts, degenerate, None, 0) == choose_facts(facts, degenerate, 100, 0) == sorted(facts)


def test_rows_of_the_chosen_facts_are_enough() -> None:
    tables, settings = study(), replace(SETTINGS, facts=1)
    layers = tables.neurons[["fact_id", "layer"]].drop_duplicates()
    choice = Choice.of(layers, tables.components[["fact_id", "kept"]], len(tables.facts), 1, SETTINGS.seed)
    rows = {name: frame[frame["fact_id"].isin(choice.shown)] for name, frame in vars(tables).items()}
    data = explorer_data(Tables(**rows), settings, choice)
    assert data == explorer_data(tables, settings)
    assert (data["counts"]["shown"], data["counts"]["attributed"], data["counts"]["facts"]) == (1, 3, 4)
    assert data["layers"] == 3, "of all facts"


def test_without_neurons_nothing_is_chosen() -> None:
    tables = study()
    choice = Choice.of(tables.neurons.iloc[:0], tables.components.iloc[:0], 4, None, 0)
    assert (choice.shown, choice.degenerate, choice.attributed, choice.layers) == ([], set(), 0, 0)
