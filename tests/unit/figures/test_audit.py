"""Figure audit: a mark per switch and direction, in panels that can be read, and what its caption names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dkn.audit.stored import SHORT
from dkn.figures import audit
from dkn.storage.files import write_json
from dkn.study.protocol import SWITCHES
from tests.unit.audits import UNDEFINED, made_audit
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn

TWO = [made_audit(largest=400.0), made_audit("b_nano", largest=0.4, lacks="questions")]


def marks(axes: Axes) -> list[tuple[float, float, bool]]:
    """The place of every mark, and whether it is filled."""
    found = []
    for line in axes.lines:
        if line.get_marker() in ("o", "s"):
            filled = line.get_markerfacecolor() != "white"
            found += [(float(x), float(y), filled) for x, y in zip(*line.get_data(), strict=True) if not np.isnan(x)]
    return found


def visible(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


@pytest.fixture(scope="module")
def of_two() -> Figure:
    """The figure of two models, drawn."""
    figure = audit.draw(TWO, 0.95)
    drawn(figure)
    return figure


@pytest.mark.parametrize("count", [1, 2])
def test_every_change_has_a_mark_in_its_row(count: int, of_two: Figure) -> None:
    figure = of_two if count == 2 else audit.draw(TWO[:1], 0.95)
    panels = visible(figure)
    assert len(panels) == 2 + len(SHORT)
    gap = marks(panels[2 + list(SHORT).index("gap")])
    assert len(gap) == 6 * count
    row = list(SWITCHES).index("site")
    assert [x for x, y, filled in gap if filled and abs(y - row) < 0.5] == pytest.approx([5.0] * count)
    suppression = marks(panels[2 + list(SHORT).index("suppression")])
    assert len(suppression) == 4 * count, "what is undefined has none"
    jaccard = marks(panels[0])
    assert len(jaccard) == 5 * count
    with_dkn = [x for x, y, filled in marks(panels[1]) if filled and abs(y - row) < 0.5]
    assert with_dkn == pytest.approx([-12.0] * count), "of the sample"


def test_marks_of_models_and_directions_do_not_lie_on_each_other(of_two: Figure) -> None:
    places = [y for x, y, _ in marks(visible(of_two)[3]) if round(y) == 0]
    assert len(set(np.round(places, 3))) == len(places) == 4
    assert max(map(abs, places)) < 0.5


def test_no_words_of_the_figure_overlap(of_two: Figure) -> None:
    """Titles of neighbours, and ticks of one panel; and all words are within the figure."""
    titles = [axes.title.get_window_extent() for axes in visible(of_two)]
    assert not [1 for n, one in enumerate(titles) for other in titles[n + 1 :] if one.overlaps(other)]
    for axes in visible(of_two):
        low, high = axes.get_xlim()
        labels = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
        boxes = [label.get_window_extent() for label in labels]
        assert not [1 for one, other in pairwise(boxes) if one.overlaps(other)], axes.get_title()
    for label in (*visible(of_two)[0].get_yticklabels(), *of_two.legends[0].get_texts()):
        box = label.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= of_two.bbox.x1, label.get_text()
        assert 0 <= box.y0 < box.y1 <= of_two.bbox.y1, label.get_text()


def test_a_number_that_no_state_has_is_said_to_be_undefined() -> None:
    one = made_audit()
    for comparison in one["comparisons"]:
        comparison["numbers"] |= {"overlap": UNDEFINED}
    panels = visible(audit.draw([one], 0.95))
    said = {axes.get_title().replace("\n", " "): [text.get_text() for text in axes.texts] for axes in panels}
    assert said[SHORT["overlap"]] == ["undefined\nthroughout"]
    assert said[SHORT["gap"]] == []


def test_the_caption_names_movers_verdicts_and_what_a_model_lacks() -> None:
    said = rendered(audit.caption(TWO))
    assert "a_nano: 50 facts, of which the model knows 40" in said
    moved = "a_nano, flipped in the text's protocol: most numbers are moved, in points, by site "
    moved += "(gap by +5.0 (1.0 … 9.0)) a_nano"
    assert moved in said
    assert "a_nano, flipped in the text's protocol: verdicts are changed by site (C1 primary: supported →" in said
    assert "b_nano, mended in the released one: verdicts are changed by compared (C3 literal: inconclusive →" in said
    assert "b_nano does not have: questions (there is no such thing)" in said
    assert said.count("not run, overlap: for N and random neurons") == 1


def test_a_large_change_is_written_out() -> None:
    one = made_audit()
    gap = {"value": -1e7 / 81, "low": -2e9 / 81, "high": -0.0012345}
    next(two for two in one["comparisons"] if two["switch"] == "sign")["numbers"]["gap"] |= gap
    assert "sign (gap by -12,345," in rendered(audit.caption([one]))


def test_a_caption_without_changes_says_so() -> None:
    one = made_audit()
    one["comparisons"] = [two for two in one["comparisons"] if two["switch"] == "sign"]
    said = rendered(audit.caption([one]))
    assert said.count("verdicts are changed by no switch") == said.count("moved, in points, by no switch") == 2


def test_the_figure_is_written_with_its_table_and_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "audit.json", made_audit())
    audit.main([tmp_path / "audit.json"], 0.95, tmp_path / "audit.pdf")
    assert all((tmp_path / f"audit.{kind}").stat().st_size > 10_000 for kind in ("pdf", "png"))
    assert len(pd.read_csv(tmp_path / "audit.csv")) == 9
    assert "a\\_nano" in (tmp_path / "audit.rst").read_text(encoding="utf-8")
