"""Figure audit_verdicts: a cell per verdict, a frame where it changes, and what its caption counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from dkn.figures import audit_verdicts
from dkn.figures.style import VERDICT_LOOKS
from dkn.storage.files import write_json
from dkn.study.protocol import SWITCHES
from tests.unit.audits import made_audit
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn

TWO = [made_audit(), made_audit("b_nano", lacks="questions")]


def cells(axes: Axes) -> dict[tuple[int, int], tuple[str, bool]]:
    """By row and column the verdict whose colour a cell has, and whether it is framed."""
    of_colour = {to_rgb(look[0]): verdict for verdict, look in VERDICT_LOOKS.items()}
    found = {}
    for bar in axes.patches:
        assert isinstance(bar, Rectangle)
        place = round(bar.get_y() + bar.get_height() / 2), round(bar.get_x() + bar.get_width() / 2)
        found[place] = of_colour[to_rgb(bar.get_facecolor())], to_rgb(bar.get_edgecolor()) == (0, 0, 0)
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_a_model_has_a_panel_per_direction(count: int) -> None:
    figure = audit_verdicts.draw(TWO[:count])
    drawn(figure)
    assert len(figure.axes) == 2 * count
    assert figure.axes[1].get_title() == "a_nano\nmended in the released one"
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["the protocol itself", *SWITCHES]
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert not [1 for one, other in pairwise(titles) if one.overlaps(other)]


def test_a_cell_has_the_verdict_and_a_frame_where_it_differs() -> None:
    flipped, mended = audit_verdicts.draw(TWO[:1]).axes
    row = {name: place for place, name in enumerate(SWITCHES, 1)}
    found = cells(flipped)
    assert (found[0, 0], found[0, 1]) == (("supported", False), ("inconclusive", False))
    assert (found[row["site"], 0], found[row["site"], 1]) == (("contradicted", True), ("supported", True))
    assert (found[row["sign"], 0], found[row["compared"], 1]) == (("supported", False), ("not run", True))
    assert len(found) == 2 * 4
    assert cells(mended)[0, 0] == ("contradicted", False), "the release's own"
    assert [label.get_text() for label in flipped.get_xticklabels()] == ["C1\np", "C3\nl"]


def test_a_switch_that_a_model_lacks_is_said_to_be_missing() -> None:
    axes = audit_verdicts.draw(TWO[1:]).axes[0]
    missing = [text.get_position()[1] for text in axes.texts if "does not have" in text.get_text()]
    assert len(missing) == len(SWITCHES) - 3
    assert list(SWITCHES).index("site") + 1 not in missing
    assert list(SWITCHES).index("questions") + 1 in missing


def test_the_caption_names_what_differs_and_counts_changes() -> None:
    said = rendered(audit_verdicts.caption(TWO))
    assert "a_nano, text → released: C1 primary supported → contradicted b_nano" not in said
    assert "a_nano, text → released: C1 primary supported → contradicted a_nano" in said
    assert "a_nano, flipped in the text's protocol, verdicts that change: site 2, compared 1" in said
    assert "b_nano, mended in the released one, verdicts that change: compared 1" in said


def test_protocols_with_equal_verdicts_are_said_to_be_alike() -> None:
    one = made_audit()
    one["states"]["released"]["verdicts"] = one["states"]["text"]["verdicts"]
    assert "a_nano, text → released: all verdicts are the same" in rendered(audit_verdicts.caption([one]))


def test_the_figure_is_written_with_its_table_and_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "audit.json", made_audit())
    audit_verdicts.main([tmp_path / "audit.json"], tmp_path / "verdicts.pdf")
    assert all((tmp_path / f"verdicts.{kind}").stat().st_size > 10_000 for kind in ("pdf", "png"))
    assert len(pd.read_csv(tmp_path / "verdicts.csv")) == 16
