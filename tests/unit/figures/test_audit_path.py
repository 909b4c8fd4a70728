"""Figure audit_path: bars that begin where the ones before ended, and where a number is undefined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from dkn.figures import audit_path
from dkn.figures.audit_path import DOWN, NUMBERS, UNDEFINED, UP
from dkn.storage.files import write_json
from tests.unit.audits import made_audit
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn

TWO = [made_audit(largest=400.0), made_audit("b_nano", largest=0.4)]


def patches(axes: Axes, colour: str) -> list[Rectangle]:
    """The bars, or the grounds, of one colour."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [patch for patch in found if to_rgb(patch.get_facecolor()) == to_rgb(colour)]


def spans(axes: Axes, colour: str) -> list[tuple[float, float]]:
    """From where to where the bars of one colour reach."""
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in patches(axes, colour)]


def test_the_table_has_the_steps_in_their_order() -> None:
    table = audit_path.path_table(TWO)
    assert list(table["switch"]) == ["site", "sign", "compared"] * 2
    assert set(table["direction"]) == {"step"}


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_a_panel_per_model_and_number(count: int) -> None:
    figure = audit_path.draw(TWO[:count], 0.95)
    drawn(figure)
    assert len(figure.axes) == count * len(NUMBERS)
    assert figure.axes[0].get_title().startswith("a_nano\n")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["text", "site", "sign", "compared", "released"]


def test_a_bar_reaches_from_before_to_after() -> None:
    gap, _, suppression, checking = audit_path.draw(TWO[1:], 0.95).axes
    assert spans(gap, UP) == [pytest.approx((20, 25)), pytest.approx((20, 60))]
    assert [bar.get_y() + bar.get_height() / 2 for bar in patches(gap, UP)] == pytest.approx([1, 2])
    assert spans(suppression, DOWN) == [pytest.approx((20, 17))]
    assert spans(checking, UP) == spans(checking, DOWN) == [], "what stays has no bar"


def test_an_undefined_number_has_a_ground_and_no_bar() -> None:
    suppression = audit_path.draw(TWO[1:], 0.95).axes[list(NUMBERS).index("suppression")]
    grounds = [(ground.get_y(), ground.get_height()) for ground in patches(suppression, UNDEFINED)]
    assert grounds == [(2.5, 1), (3.5, 1)], "after the last switch, and at the end"
    assert [text.get_text() for text in suppression.texts] == ["20.0", "undefined"]
    assert not patches(audit_path.draw(TWO[1:], 0.95).axes[0], UNDEFINED)


def test_an_interval_is_drawn_from_where_the_bar_begins() -> None:
    gap = audit_path.draw(TWO[1:], 0.95).axes[0]
    lines = [segment[:, 0].tolist() for part in gap.collections for segment in part.get_segments()]
    assert lines == [pytest.approx([21, 29])], "the second bar has none"


def test_the_caption_states_both_ends() -> None:
    said = rendered(audit_path.caption(TWO))
    both = "text: 20.0 points (0.0 … 0.0), n = 9 facts; released: 5.0 points (no interval: too few subjects)"
    assert f"a_nano, gap: {both}" in said
    assert "suppression: D − as many of N: text: 20.0" in said
    assert "released: undefined, since no fact has it or nothing is compared" in said
    assert said.count("F1: D − N:") == 2


def test_the_figure_is_written_with_its_table_and_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "audit.json", made_audit())
    audit_path.main([tmp_path / "audit.json"], 0.95, tmp_path / "path.pdf")
    assert all((tmp_path / f"path.{kind}").stat().st_size > 10_000 for kind in ("pdf", "png"))
    assert len(pd.read_csv(tmp_path / "path.csv")) == 3
