"""Figure seeds: every seed and every combination is drawn and stated, and so is what is missing."""

from __future__ import annotations

from matplotlib.text import Text

from dkn.figures import seeds
from dkn.paper.seeds import combined
from dkn.summaries.seeds import table
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn
from tests.unit.seed_rows import models

TWO = [*combined("a_nano", models([0.1, 0.2, 0.3]), 0.95, 10), *combined("b", models([0.1, 0.1]), 0.95, 10)]


def test_every_number_has_a_line_in_each_entrys_panel() -> None:
    figure = seeds.draw(table(TWO), 0.95)
    drawn(figure)
    said = [text.get_text() for text in figure.findobj(Text)]
    numbers = len(TWO) // 2
    assert sum(text.startswith("3 of 3 seeds\nτ ") for text in said) == numbers
    assert sum(text.startswith("2 of 2 seeds\nτ 0, I² 0 %") for text in said) == numbers
    groups = dict.fromkeys(row["needed_by"] for row in TWO)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"{entry}: {group}" for group in groups for entry in ("a_nano", "b")]
    points = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in points) == 5 * numbers, "a sign for each seed"


def test_a_number_of_one_seed_is_drawn_and_not_combined() -> None:
    found = models([0.1, 0.2])
    found["nano-s1"].clear()
    rows = combined("nano", found, 0.95, 10)
    figure = seeds.draw(table(rows), 0.95)
    drawn(figure)
    assert not [line for axes in figure.axes for line in axes.lines if line.get_marker() == "D"]
    said = rendered(seeds.caption(rows))
    assert said.count("not combined, in 1 of 2 seeds, each with at least n = 80 facts of 40 subjects") == len(rows)


def test_the_caption_states_every_combination() -> None:
    said = rendered(seeds.caption(TWO))
    number = "D minus N (suppression-values: drop, perturbed, facts with a DKN): 20.0 points (-4.8 … 44.8), tau"
    assert f"a_nano, over seeds, C3 (literal): {number}" in said
    assert "I² 99 %, in 3 of 3 seeds, each with at least n = 80 facts of 40 subjects" in said
    assert seeds.caption([]) == f"- {seeds.NOTHING}, n = 0\n"


def test_without_seeds_the_figure_says_so() -> None:
    figure = seeds.draw(table([]), 0.95)
    drawn(figure)
    assert seeds.NOTHING in [text.get_text() for text in figure.findobj(Text)]
