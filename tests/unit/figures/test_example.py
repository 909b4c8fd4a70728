"""The fact that figures take as their example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from dkn.figures.example import _chosen, caption, choose_example
from dkn.plain_text import one_line
from dkn.storage.files import write_table
from dkn.storage.schemas import COMPONENTS, KNOWLEDGE_NEURONS
from tests.unit.captions import rendered
from tests.unit.example_fact import made_example


def table(left: float = 0.1, **kept: list[bool]) -> pd.DataFrame:
    """Components of facts, and the Prob that is left of each without its knowledge neurons."""
    rows = [(fact, flag, 0.8, 0.8 * left) for fact, flags in kept.items() for flag in flags]
    return pd.DataFrame(rows, columns=["fact_id", "kept", "prob_intact", "prob_all_suppressed"])


def test_the_example_loses_a_stated_share_in_every_model_where_one_does() -> None:
    unmoved = table(left=0.99, a=[True] * 7)
    one, two = pd.concat([unmoved, table(b=[True] * 2)]), table(a=[True] * 9, b=[True] * 2)
    assert choose_example({"one": one, "two": two}, {"one": one, "two": two}, ["a", "b"]) == "b"
    assert choose_example({"one": unmoved}, {"one": unmoved}, ["a"]) == "a", "there is no other"


def test_the_example_has_most_components_where_it_has_fewest() -> None:
    one = table(a=[True] * 7, b=[True] * 3, c=[True] * 3, d=[True] * 9)
    two = table(a=[True, False], b=[True] * 2, c=[True] * 3)
    neurons = {"one": one, "two": two}
    assert choose_example({"one": one, "two": two}, neurons, list("abcd")) == "c"
    apart = {"one": table(a=[True]), "two": table(b=[True], d=[False])}
    assert choose_example(apart, neurons, list("abcd")) == "a", "in as many models as b, with as many components"


def test_the_example_is_chosen_from_stored_tables(tmp_path: Path) -> None:
    found = pd.concat([table(left=0.99, a=[True] * 7), table(b=[True] * 2)], ignore_index=True)
    numbers = [name for name, kind in zip(COMPONENTS.names, COMPONENTS.types, strict=True) if kind == pa.float64()]
    components = pd.DataFrame(0.0, found.index, numbers).assign(repeat=0, component=found.index, **found)
    components["places"] = [[0, 1]] * len(found)
    neurons = pd.DataFrame({"fact_id": ["a", "b"], "place": 0, "layer": 0, "neuron": 0, "score": 1.0})
    for name, frame, schema in (
        ("components/ntc", components, COMPONENTS),
        ("knowledge_neurons", neurons, KNOWLEDGE_NEURONS),
    ):
        path = tmp_path / "m" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, frame.reindex(columns=schema.names), schema, {})
    assert _chosen([tmp_path / "m"], ["a", "b"]) == "b"


@pytest.mark.parametrize("mark", ["\n\n", "\x85\x85", "\u2028\u2028"])
def test_a_caption_states_the_fact_and_interprets_nothing(mark: str) -> None:
    fact = f"“*Cuba* is … Spanish{mark}.. raw:: html{mark}   <img src=x onerror=alert(3)>{mark}.. include:: x”"
    said = rendered(caption([replace(made_example(), fact=fact)]))
    assert said.startswith(f"n = 1 fact: {one_line(fact)} model: 5 knowledge neurons")


def test_each_model_states_its_own_answer() -> None:
    said = caption([replace(made_example(), model=name, fact=f"“a … {name}_”") for name in ("one", "two")])
    assert rendered(said).startswith("n = 1 fact one: “a … one_”: 5 knowledge neurons")


def test_words_from_right_to_left_reorder_nothing_in_a_caption() -> None:
    assert "\u2068مصر\u2069 … \u2068العربية\u2069" in caption([replace(made_example(), fact="“of مصر … العربية”")])
