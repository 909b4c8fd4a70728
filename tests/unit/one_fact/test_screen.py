"""The screen of text: every number of it, on one screen, whatever the texts hold."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import dkn
from dkn.one_fact.answer import suppressed
from dkn.one_fact.screen import SETS, change, percent, show
from dkn.study.config import Study
from tests.unit.one_fact.conftest import ANSWER, PROMPT

ONE_SCREEN = 40  # lines


def shown(fact: dkn.OneFact, width: int = 100) -> str:
    """What is printed into a file."""
    out = io.StringIO()
    show(fact, Console(file=out, width=width, highlight=False, markup=False, emoji=False))
    return out.getvalue()


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.5, "50 %"), (0.01234, "1.23 %"), (1e-7, "1e-05 %"), (1.0, "100 %"), (12.3456, "1235 %")],
)
def test_shares_have_three_digits(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(("drop", "words"), [(0.812, "-81.2 %"), (-0.05, "+5 %"), (0.0, "-0 %")])
def test_a_drop_is_what_happens_to_prob(drop: float, words: str) -> None:
    assert change(drop) == words


def test_a_fact_fits_on_a_screen(fact: dkn.OneFact) -> None:
    text = shown(fact, 80)
    assert text.count("\n") <= ONE_SCREEN
    assert all(len(line) <= 80 for line in text.split("\n"))


def test_every_set_has_its_row_with_its_numbers(fact: dkn.OneFact) -> None:
    text, rows = shown(fact), suppressed(fact)
    for name, of_set in rows.groupby("neuron_set"):
        line = next(line for line in text.split("\n") if line.startswith(SETS[str(name)]))
        assert percent(of_set["prob"].mean()) in line
        assert change(of_set["drop"].mean()) in line
    assert set(rows["neuron_set"]) <= SETS.keys()
    kept = int(fact.components["kept"].sum())
    assert f"{len(fact.components)} tested, {kept} passed: the fact is degenerate" in text
    assert "Prob with it alone exceeds 0 %" in text


def test_what_is_not_known_says_so(model: dkn.Model) -> None:
    text = shown(dkn.attribute(model, PROMPT, ANSWER))
    assert "no, the answer's first token is choice number" in text


def test_texts_are_shown_as_they_are(model: dkn.Model, lenient: Study) -> None:
    """Neither markup, nor signs that reorder others."""
    text = shown(dkn.attribute(model, "[bold]the :smile: \u202e is", "[/x] Paris", config=lenient))
    assert "[bold]the :smile: " in text
    assert "[/x] Paris" in text
    assert "\u202e" not in text
